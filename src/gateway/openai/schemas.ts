import type { SchemaObject } from 'ajv';

/** Most texts of one request for vectors, as OpenAI has it. */
export const MAX_EMBEDDING_INPUTS = 2048;

/** Printable characters: the ledger names every model that was asked, and cannot store NUL and lone surrogates. */
const NAME = '^[^\\p{Cc}\\p{Cs}]+$';

const parameters = {
  model: { type: 'string', minLength: 1, maxLength: 256, pattern: NAME },
  temperature: { type: ['number', 'null'], minimum: 0, maximum: 2 },
  top_p: { type: ['number', 'null'], minimum: 0, maximum: 1 },
  n: { type: ['integer', 'null'], minimum: 1, maximum: 128 },
  max_tokens: { type: ['integer', 'null'], minimum: 1 },
  stream: { type: ['boolean', 'null'] },
  stream_options: { type: ['object', 'null'], properties: { include_usage: { type: 'boolean' } } },
  stop: {
    anyOf: [{ type: ['string', 'null'] }, { type: 'array', items: { type: 'string' } }],
  },
  presence_penalty: { type: ['number', 'null'], minimum: -2, maximum: 2 },
  frequency_penalty: { type: ['number', 'null'], minimum: -2, maximum: 2 },
  seed: { type: ['integer', 'null'] },
  user: { type: 'string', maxLength: 512 },
  cache: { type: ['boolean', 'null'] },
} as const;

const content = {
  anyOf: [
    { type: ['string', 'null'] },
    {
      type: 'array',
      items: { type: 'object', required: ['type'], properties: { type: { type: 'string' } } },
    },
  ],
} as const;

/** Chat Completions. What it does not name passes through; what it names is what we rely on or would be blamed for. */
export const CHAT_COMPLETION: SchemaObject = {
  type: 'object',
  required: ['messages'],
  properties: {
    ...parameters,
    max_completion_tokens: { type: ['integer', 'null'], minimum: 1 },
    messages: {
      type: 'array',
      minItems: 1,
      items: {
        type: 'object',
        required: ['role'],
        properties: {
          role: { enum: ['system', 'developer', 'user', 'assistant', 'tool', 'function'] },
          content,
          tool_calls: {
            type: ['array', 'null'],
            items: {
              type: 'object',
              required: ['id', 'type'],
              properties: {
                id: { type: 'string' },
                type: { type: 'string' },
                function: {
                  type: 'object',
                  required: ['name', 'arguments'],
                  properties: { name: { type: 'string' }, arguments: { type: 'string' } },
                },
              },
            },
          },
          tool_call_id: { type: 'string' },
        },
      },
    },
    tools: {
      type: ['array', 'null'],
      items: {
        type: 'object',
        required: ['type'],
        properties: {
          type: { type: 'string' },
          function: {
            type: 'object',
            required: ['name'],
            properties: { name: { type: 'string', minLength: 1 } },
          },
        },
      },
    },
    tool_choice: { type: ['string', 'object', 'null'] },
    response_format: {
      type: ['object', 'null'],
      required: ['type'],
      properties: { type: { type: 'string' } },
    },
    logprobs: { type: ['boolean', 'null'] },
    top_logprobs: { type: ['integer', 'null'], minimum: 0, maximum: 20 },
  },
};

/** Completions, the older surface: one prompt or several, no chat. */
export const COMPLETION: SchemaObject = {
  type: 'object',
  required: ['prompt'],
  properties: {
    ...parameters,
    prompt: {
      anyOf: [{ type: 'string' }, { type: 'array', minItems: 1, maxItems: 20, items: { type: 'string' } }],
    },
    echo: { type: ['boolean', 'null'] },
    best_of: { type: ['integer', 'null'], minimum: 1, maximum: 20 },
    logprobs: { type: ['integer', 'null'], minimum: 0, maximum: 5 },
    suffix: { type: ['string', 'null'] },
  },
};

/** Embeddings. */
export const EMBEDDING: SchemaObject = {
  type: 'object',
  required: ['model', 'input'],
  properties: {
    model: parameters.model,
    input: {
      anyOf: [
        { type: 'string', minLength: 1 },
        {
          type: 'array',
          minItems: 1,
          maxItems: MAX_EMBEDDING_INPUTS,
          items: { type: 'string', minLength: 1 },
        },
        { type: 'array', minItems: 1, items: { type: 'integer', minimum: 0 } },
        {
          type: 'array',
          minItems: 1,
          maxItems: MAX_EMBEDDING_INPUTS,
          items: { type: 'array', minItems: 1, items: { type: 'integer', minimum: 0 } },
        },
      ],
    },
    dimensions: { type: ['integer', 'null'], minimum: 1, maximum: 65_536 },
    encoding_format: { enum: ['float', 'base64'] },
    user: parameters.user,
  },
};
