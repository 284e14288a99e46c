import { countWords } from './answer.js';
import { unitVector } from './embedding-vectors.js';
import type { EmbedResponse, ListResponse, ShowResponse } from './ollama-shapes.js';
import type { Failure } from './script.js';
import { elements, property } from './unknown-value.js';
import type { Catalog, JsonReply, Route } from './provider-protocol.js';

const MESSAGES: Readonly<Record<number | string, string>> = {
  400: 'invalid request',
  401: 'unauthorized',
  403: 'forbidden',
  404: "model 'missing' not found",
  429: 'too many requests',
  500: 'model runner has unexpectedly stopped, this may be due to resource limitations or an internal error',
  503: 'server busy, please try again.  maximum pending requests exceeded',
  context_length_exceeded: 'prompt too long; exceeded max context length by 12 tokens',
};

/** Path of the route that describes a model. */
export const SHOW_PATH = '/api/show';

/** Returns an error body of Ollama, which is only a message. */
export function ollamaErrorBody({ status = 500, code, message }: Failure): string {
  const error = message ?? MESSAGES[code ?? ''] ?? MESSAGES[status] ?? 'something went wrong';
  return JSON.stringify({ error });
}

/** Answers the routes besides chat. */
export function ollamaLookUp(
  route: Exclude<Route, 'chat'>,
  path: string,
  body: unknown,
  catalog: Catalog,
): JsonReply {
  switch (route) {
    case 'models':
      if (path === SHOW_PATH) return show(body);
      return path === '/api/version' ? ok({ version: '0.12.6' }) : ok(tags(catalog));
    case 'embeddings':
      return embed(body, catalog);
  }
}

/** Describes a model, which supports images if its name contains `vision`. */
function show(body: unknown): JsonReply {
  const model = property(body, 'model');
  if (typeof model !== 'string') return refuse('model is required');
  const reply: ShowResponse = {
    license: 'MIT',
    details: { parent_model: '', format: 'gguf', family: 'fake' },
    model_info: { 'general.architecture': 'fake' },
    capabilities: ['completion', 'tools', ...(model.includes('vision') ? ['vision'] : [])],
    modified_at: '2025-05-04T17:37:44.706015396-07:00',
  };
  return ok(reply);
}

function tags({ models }: Catalog): ListResponse {
  return {
    models: models.map((name) => ({
      name,
      model: name,
      modified_at: '2025-05-04T17:37:44.706015396-07:00',
      size: 3_825_819_519,
      digest: '0a8c266910232fd3291e71e5ba1e058cc5af9d411192cf88b6d30e92b6e73163',
      details: {
        parent_model: '',
        format: 'gguf',
        family: 'fake',
        parameter_size: '3.2B',
        quantization_level: 'Q4_K_M',
      },
    })),
  };
}

function embed(body: unknown, catalog: Catalog): JsonReply {
  const model = property(body, 'model');
  const input = property(body, 'input');
  const texts = typeof input === 'string' ? [input] : elements(input);
  if (typeof model !== 'string') return refuse('model is required');
  if (!texts.every((text) => typeof text === 'string')) return refuse('invalid input type');
  const asked = property(body, 'dimensions');
  const dimensions = typeof asked === 'number' ? asked : catalog.embeddingDimensions;
  const reply: EmbedResponse = {
    model,
    embeddings: texts.map((text) => unitVector(text, dimensions)),
    total_duration: 14_143_917,
    load_duration: 1_019_500,
    prompt_eval_count: texts.reduce((sum, text) => sum + countWords(text), 0),
  };
  return ok(reply);
}

function ok(value: object): JsonReply {
  return { status: 200, body: JSON.stringify(value) };
}

function refuse(message: string): JsonReply {
  return { status: 400, body: ollamaErrorBody({ status: 400, message }) };
}
