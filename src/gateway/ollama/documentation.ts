import type { ErrorCode } from '../../common/errors.js';
import { ApiErrorsOf, type SchemaObject } from '../../http/index.js';
import { OllamaErrorBody } from './error-format.js';

/** The errors of a model call. */
export const OLLAMA_MODEL_ERRORS = [
  'unauthorized',
  'model_not_found',
  'payload_too_large',
  'provider_rejected',
  'context_length_exceeded',
  'price_unknown',
  'rate_limit_exceeded',
  'quota_exceeded',
  'provider_rate_limited',
  'provider_error',
  'provider_unavailable',
  'overloaded',
  'provider_timeout',
] as const satisfies readonly ErrorCode[];

/** Documents the errors of a route of this protocol. */
export function OllamaErrors(...codes: readonly ErrorCode[]): MethodDecorator {
  return ApiErrorsOf(
    { schema: OllamaErrorBody.name, example: (_code, error): OllamaErrorBody => ({ error }) },
    ...codes,
  );
}

const MODEL: SchemaObject = {
  type: 'string',
  description:
    'Name of a model on the Ollama server, with or without the prefix `ollama/`, or an alias of such models.',
  example: 'llama3.2',
};
const STREAM: SchemaObject = {
  type: 'boolean',
  default: true,
  description: 'Whether to stream the answer, one JSON object per line.',
};

/** The body of a chat. */
export const OLLAMA_CHAT_DOC: SchemaObject = {
  type: 'object',
  example: { model: 'llama3.2', messages: [{ role: 'user', content: 'Why is the sky blue?' }] },
  required: ['model'],
  additionalProperties: true,
  description:
    'As specified at https://docs.ollama.com/api/chat. All fields are passed to the server unchanged.',
  properties: {
    model: MODEL,
    messages: {
      type: 'array',
      description: 'Messages of the conversation so far; without any, the model is only loaded.',
      items: { type: 'object', additionalProperties: true },
      example: [{ role: 'user', content: 'Why is the sky blue?' }],
    },
    stream: STREAM,
  },
};

/** The body of a completion. */
export const OLLAMA_GENERATE_DOC: SchemaObject = {
  type: 'object',
  example: { model: 'llama3.2', prompt: 'Say hello.' },
  required: ['model'],
  additionalProperties: true,
  description:
    'As specified at https://docs.ollama.com/api/generate. All fields are passed to the server unchanged.',
  properties: {
    model: MODEL,
    prompt: {
      type: 'string',
      description: 'Prompt to complete; without it, the model is only loaded.',
      example: 'Say hello.',
    },
    stream: STREAM,
  },
};

const ANSWERED = {
  model: 'llama3.2',
  created_at: '2026-01-05T12:00:00.000Z',
  done: true,
  done_reason: 'stop',
};

/** Returns examples of a whole and a streamed answer in one of the two formats. */
function answerDoc(piece: object) {
  const example = { ...ANSWERED, ...piece, prompt_eval_count: 9, eval_count: 2 };
  return {
    'application/json': {
      schema: { type: 'object', additionalProperties: true } satisfies SchemaObject,
      example,
    },
    'application/x-ndjson': {
      schema: { type: 'string' } satisfies SchemaObject,
      example: `${JSON.stringify(example)}\n`,
    },
  };
}

export const OLLAMA_CHAT_EXAMPLE = answerDoc({ message: { role: 'assistant', content: 'Hello!' } });
export const OLLAMA_GENERATE_EXAMPLE = answerDoc({ response: 'Hello!' });

/** Example of the list of models. */
export const OLLAMA_TAGS_EXAMPLE = {
  'application/json': {
    schema: { type: 'object', additionalProperties: true } satisfies SchemaObject,
    example: { models: [{ name: 'llama3.2:latest', model: 'llama3.2:latest', size: 2_019_393_189 }] },
  },
};
