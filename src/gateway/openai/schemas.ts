import type { SchemaObject } from 'ajv';
import { listOfTyped, schemaForTag, schemaForType } from '../schema-for-tag.js';

/** OpenAI's maximum number of texts in one embeddings request. */
export const MAX_EMBEDDING_INPUTS = 2048;

/**
 * Printable characters: the ledger stores the name of every requested model, and cannot store NUL and lone
 * surrogates.
 */
const NAME = '^[^\\p{Cc}\\p{Cs}]+$';

const text = { type: 'string' } as const;
const textOrNull = { type: ['string', 'null'] } as const;
const flag = { type: ['boolean', 'null'] } as const;
const objectOrNull = { type: ['object', 'null'] } as const;
const name = { type: 'string', minLength: 1 } as const;

/** The description of a function, besides its name. The host validates the schema of its parameters. */
const functionFields = {
  description: textOrNull,
  parameters: objectOrNull,
  strict: flag,
} as const;

/** The known types of content parts. Other types are left to the host. */
const parts = [
  schemaForType('text', { text }),
  schemaForType('refusal', { refusal: text }),
  // Some clients send the URL itself; `toCanonicalChat` wraps it into an object.
  schemaForType('image_url', {
    image_url: {
      type: ['string', 'object'],
      required: ['url'],
      properties: { url: text, detail: textOrNull },
    },
  }),
  schemaForType('input_audio', {
    input_audio: { type: 'object', required: ['data', 'format'], properties: { data: text, format: text } },
  }),
  schemaForType('file', {
    file: {
      type: 'object',
      properties: { file_id: text, filename: textOrNull },
      if: { type: 'object', required: ['file_id'], properties: { file_id: text } },
      then: { type: 'object', properties: { file_data: text } },
      else: { type: 'object', required: ['file_data'], properties: { file_data: text } },
    },
  }),
];

const content: SchemaObject = { type: ['string', 'null', 'array'], ...listOfTyped(parts) };

const toolCalls: SchemaObject = {
  type: ['array', 'null'],
  items: {
    type: 'object',
    required: ['id', 'type'],
    properties: { id: text, type: text },
    allOf: [
      schemaForType('function', {
        function: {
          type: 'object',
          required: ['name', 'arguments'],
          properties: { name: text, arguments: text },
        },
      }),
      schemaForType('custom', {
        custom: { type: 'object', required: ['name', 'input'], properties: { name: text, input: text } },
      }),
    ],
  },
};

const message: SchemaObject = {
  type: 'object',
  required: ['role'],
  properties: {
    role: { enum: ['system', 'developer', 'user', 'assistant', 'tool', 'function'] },
    content,
    tool_calls: toolCalls,
    tool_call_id: text,
    name: textOrNull,
    refusal: textOrNull,
    function_call: {
      type: ['object', 'null'],
      required: ['name', 'arguments'],
      properties: { name: text, arguments: text },
    },
    provider_data: {
      type: 'object',
      required: ['provider', 'blocks'],
      properties: { provider: text, blocks: {} },
    },
  },
  allOf: [
    schemaForTag('role', 'tool', { tool_call_id: text }),
    schemaForTag('role', 'function', { name, content: textOrNull }),
  ],
};

const tools: SchemaObject = {
  type: ['array', 'null'],
  ...listOfTyped([
    schemaForType('function', {
      function: { type: 'object', required: ['name'], properties: { name, ...functionFields } },
    }),
    schemaForType('custom', { custom: { type: 'object', required: ['name'], properties: { name } } }),
  ]),
};

const named: SchemaObject = { type: 'object', required: ['name'], properties: { name } };

const toolChoice: SchemaObject = {
  type: ['string', 'object', 'null'],
  required: ['type'],
  properties: { type: text },
  allOf: [
    schemaForType('function', { function: named }),
    schemaForType('custom', { custom: named }),
    schemaForType('allowed_tools', {
      allowed_tools: {
        type: 'object',
        required: ['mode', 'tools'],
        properties: { mode: text, tools: { type: 'array', items: { type: 'object' } } },
      },
    }),
  ],
};

const responseFormat: SchemaObject = {
  type: ['object', 'null'],
  required: ['type'],
  properties: { type: text },
  ...schemaForType('json_schema', {
    json_schema: {
      type: 'object',
      required: ['name'],
      properties: { name, description: textOrNull, schema: { type: 'object' }, strict: flag },
    },
  }),
};

/** Fields of both routes: those that Completions does not define are passed to the models too. */
const parameters: Readonly<Record<string, SchemaObject>> = {
  model: { type: 'string', minLength: 1, maxLength: 256, pattern: NAME },
  temperature: { type: ['number', 'null'], minimum: 0, maximum: 2 },
  top_p: { type: ['number', 'null'], minimum: 0, maximum: 1 },
  n: { type: ['integer', 'null'], minimum: 1, maximum: 128 },
  max_tokens: { type: ['integer', 'null'], minimum: 1 },
  max_completion_tokens: { type: ['integer', 'null'], minimum: 1 },
  stream: flag,
  stream_options: { type: ['object', 'null'], properties: { include_usage: flag } },
  stop: { type: ['string', 'null', 'array'], items: text },
  presence_penalty: { type: ['number', 'null'], minimum: -2, maximum: 2 },
  frequency_penalty: { type: ['number', 'null'], minimum: -2, maximum: 2 },
  seed: { type: ['integer', 'null'] },
  user: { type: ['string', 'null'], maxLength: 512 },
  cache: flag,
  tools,
  tool_choice: toolChoice,
  parallel_tool_calls: flag,
  functions: {
    type: ['array', 'null'],
    items: { type: 'object', required: ['name'], properties: { name, ...functionFields } },
  },
  function_call: { type: ['string', 'object', 'null'], required: ['name'], properties: { name } },
  response_format: responseFormat,
  reasoning_effort: textOrNull,
  verbosity: textOrNull,
  service_tier: textOrNull,
  prompt_cache_key: textOrNull,
  safety_identifier: textOrNull,
  store: flag,
  logit_bias: objectOrNull,
  metadata: objectOrNull,
  audio: objectOrNull,
  web_search_options: objectOrNull,
  modalities: { type: ['array', 'null'], items: text },
  prediction: { type: ['object', 'null'], required: ['type'], properties: { type: text, content } },
};

const chatFields: Readonly<Record<string, SchemaObject>> = {
  ...parameters,
  messages: { type: 'array', minItems: 1, items: message },
  logprobs: flag,
  top_logprobs: { type: ['integer', 'null'], minimum: 0, maximum: 20 },
};

const completionFields: Readonly<Record<string, SchemaObject>> = {
  ...parameters,
  prompt: { type: ['string', 'array'], minItems: 1, maxItems: 20, items: text },
  echo: flag,
  best_of: { type: ['integer', 'null'], minimum: 1, maximum: 20 },
  logprobs: { type: ['integer', 'null'], minimum: 0, maximum: 5 },
  suffix: textOrNull,
};

/** Known fields of Chat Completions. */
export const CHAT_COMPLETION_FIELDS = Object.keys(chatFields);

/** Known fields of Completions. */
export const COMPLETION_FIELDS = Object.keys(completionFields);

/**
 * Schema of Chat Completions. Unknown fields pass through; the schema covers those that we rely on or would be
 * blamed for.
 */
export const CHAT_COMPLETION: SchemaObject = {
  type: 'object',
  required: ['messages'],
  properties: chatFields,
};

/** Schema of Completions, the legacy route: one prompt or several, no chat. */
export const COMPLETION: SchemaObject = {
  type: 'object',
  required: ['prompt'],
  properties: completionFields,
};

/** Schema of Embeddings. */
export const EMBEDDING: SchemaObject = {
  type: 'object',
  required: ['model', 'input'],
  properties: {
    model: parameters['model'],
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
    encoding_format: { enum: ['float', 'base64', null] },
    user: parameters['user'],
  },
};
