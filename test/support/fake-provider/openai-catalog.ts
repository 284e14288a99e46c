import type { CreateEmbeddingResponse } from 'openai/resources/embeddings';
import type { Model } from 'openai/resources/models';

import { countWords } from './answer.js';
import { encodeLittleEndian, unitVector } from './embedding-vectors.js';
import { openaiErrorBody } from './openai-errors.js';
import type { Failure } from './script.js';
import { elements, property } from './unknown-value.js';
import type { Catalog, JsonReply, Route } from './provider-protocol.js';

/** OpenAI's maximum number of inputs in an embedding request. */
const MAX_INPUTS = 2048;

/** An embedding in the protocol's format; the official type lacks the encoded form. */
interface EmbeddingReply extends Omit<CreateEmbeddingResponse, 'data'> {
  data: { object: 'embedding'; index: number; embedding: number[] | string }[];
}

/** Answers the routes besides chat. */
export function openaiLookUp(
  route: Exclude<Route, 'chat'>,
  path: string,
  body: unknown,
  catalog: Catalog,
): JsonReply {
  switch (route) {
    case 'models':
      return models(path, catalog);
    case 'embeddings':
      return embeddings(body, catalog);
  }
}

function models(path: string, catalog: Catalog): JsonReply {
  const id = decodeURIComponent(path.slice('/v1/models/'.length));
  if (id === '') {
    return ok({ object: 'list', data: catalog.models.map(describe) });
  }
  return catalog.models.includes(id)
    ? ok(describe(id))
    : refuse({ status: 404, message: `The model '${id}' does not exist.`, param: 'model' });
}

function describe(id: string): Model {
  return { id, object: 'model', created: 1_700_000_000, owned_by: 'fake-provider' };
}

function embeddings(body: unknown, catalog: Catalog): JsonReply {
  const inputs = readInputs(property(body, 'input'));
  const model = property(body, 'model');
  const asked = property(body, 'dimensions');
  if (typeof model !== 'string' || inputs.length === 0 || inputs.length > MAX_INPUTS) {
    return refuse({ status: 400, message: 'model or input is missing, empty or too long.', param: 'input' });
  }
  const dimensions = typeof asked === 'number' ? asked : catalog.embeddingDimensions;
  const encoded = property(body, 'encoding_format') === 'base64';
  const tokens = inputs.reduce((sum, input) => sum + countWords(input), 0);
  const reply: EmbeddingReply = {
    object: 'list',
    data: inputs.map((input, index) => {
      const vector = unitVector(input, dimensions);
      return { object: 'embedding', index, embedding: encoded ? encodeLittleEndian(vector) : vector };
    }),
    model,
    usage: { prompt_tokens: tokens, total_tokens: tokens },
  };
  return ok(reply);
}

/** Reads a text, several texts, one list of token ids, or several; token ids count as words. */
function readInputs(input: unknown): string[] {
  if (typeof input === 'string') return input === '' ? [] : [input];
  const items = elements(input);
  if (items.length > 0 && items.every((item) => typeof item === 'number')) return [items.join(' ')];
  return items.map((item) => (typeof item === 'string' ? item : elements(item).join(' ')));
}

function ok(value: unknown): JsonReply {
  return { status: 200, body: JSON.stringify(value) };
}

function refuse(failure: Failure & { status: number }): JsonReply {
  return { status: failure.status, body: openaiErrorBody(failure) };
}
