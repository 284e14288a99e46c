import type { SchemaObject } from 'ajv';
import { COLLECTION_NAME, MAX_COLLECTION_LIST } from '../../features/rag/index.js';
import { listOfTyped, schemaForTag, schemaForType } from '../schema-for-tag.js';

/** OpenAI's maximum number of texts in one embeddings request. */
export const MAX_EMBEDDING_INPUTS = 2048;

/**
 * Printable characters: the ledger stores the name of every requested model, and cannot store NUL and lone
 * surrogates.
 */
const MODEL_NAME_PATTERN = '^[^\\p{Cc}\\p{Cs}]+$';

const TEXT = { type: 'string' } as const;
const TEXT_OR_NULL = { type: ['string', 'null'] } as const;
const FLAG = { type: ['boolean', 'null'] } as const;
const OBJECT_OR_NULL = { type: ['object', 'null'] } as const;
const NAME = { type: 'string', minLength: 1 } as const;

/** The description of a function, besides its name. The host validates the schema of its parameters. */
const FUNCTION_FIELDS = {
  description: TEXT_OR_NULL,
  parameters: OBJECT_OR_NULL,
  strict: FLAG,
} as const;

/** The known types of content parts. Other types are left to the host. */
const PARTS = [
  schemaForType('text', { text: TEXT }),
  schemaForType('refusal', { refusal: TEXT }),
  // Some clients send the URL itself; `toCanonicalChat` wraps it into an object.
  schemaForType('image_url', {
    image_url: {
      type: ['string', 'object'],
      required: ['url'],
      properties: { url: TEXT, detail: TEXT_OR_NULL },
    },
  }),
  schemaForType('input_audio', {
    input_audio: { type: 'object', required: ['data', 'format'], properties: { data: TEXT, format: TEXT } },
  }),
  schemaForType('file', {
    file: {
      type: 'object',
      properties: { file_id: TEXT, filename: TEXT_OR_NULL },
      if: { type: 'object', required: ['file_id'], properties: { file_id: TEXT } },
      then: { type: 'object', properties: { file_data: TEXT } },
      else: { type: 'object', required: ['file_data'], properties: { file_data: TEXT } },
    },
  }),
];

const CONTENT: SchemaObject = { type: ['string', 'null', 'array'], ...listOfTyped(PARTS) };

const TOOL_CALLS: SchemaObject = {
  type: ['array', 'null'],
  items: {
    type: 'object',
    required: ['id', 'type'],
    properties: { id: TEXT, type: TEXT },
    allOf: [
      schemaForType('function', {
        function: {
          type: 'object',
          required: ['name', 'arguments'],
          properties: { name: TEXT, arguments: TEXT },
        },
      }),
      schemaForType('custom', {
        custom: { type: 'object', required: ['name', 'input'], properties: { name: TEXT, input: TEXT } },
      }),
    ],
  },
};

const MESSAGE: SchemaObject = {
  type: 'object',
  required: ['role'],
  properties: {
    role: { enum: ['system', 'developer', 'user', 'assistant', 'tool', 'function'] },
    content: CONTENT,
    tool_calls: TOOL_CALLS,
    tool_call_id: TEXT,
    name: TEXT_OR_NULL,
    refusal: TEXT_OR_NULL,
    function_call: {
      type: ['object', 'null'],
      required: ['name', 'arguments'],
      properties: { name: TEXT, arguments: TEXT },
    },
    provider_data: {
      type: 'object',
      required: ['provider', 'blocks'],
      properties: { provider: TEXT, blocks: {} },
    },
  },
  allOf: [
    schemaForTag('role', 'tool', { tool_call_id: TEXT }),
    schemaForTag('role', 'function', { name: NAME, content: TEXT_OR_NULL }),
  ],
};

const TOOLS: SchemaObject = {
  type: ['array', 'null'],
  ...listOfTyped([
    schemaForType('function', {
      function: { type: 'object', required: ['name'], properties: { name: NAME, ...FUNCTION_FIELDS } },
    }),
    schemaForType('custom', { custom: { type: 'object', required: ['name'], properties: { name: NAME } } }),
  ]),
};

const NAMED: SchemaObject = { type: 'object', required: ['name'], properties: { name: NAME } };

const TOOL_CHOICE: SchemaObject = {
  type: ['string', 'object', 'null'],
  required: ['type'],
  properties: { type: TEXT },
  allOf: [
    schemaForType('function', { function: NAMED }),
    schemaForType('custom', { custom: NAMED }),
    schemaForType('allowed_tools', {
      allowed_tools: {
        type: 'object',
        required: ['mode', 'tools'],
        properties: { mode: TEXT, tools: { type: 'array', items: { type: 'object' } } },
      },
    }),
  ],
};

const RESPONSE_FORMAT: SchemaObject = {
  type: ['object', 'null'],
  required: ['type'],
  properties: { type: TEXT },
  ...schemaForType('json_schema', {
    json_schema: {
      type: 'object',
      required: ['name'],
      properties: { name: NAME, description: TEXT_OR_NULL, schema: { type: 'object' }, strict: FLAG },
    },
  }),
};

/** Fields of both routes: those that Completions does not define are passed to the models too. */
const PARAMETERS: Readonly<Record<string, SchemaObject>> = {
  model: { type: 'string', minLength: 1, maxLength: 256, pattern: MODEL_NAME_PATTERN },
  temperature: { type: ['number', 'null'], minimum: 0, maximum: 2 },
  top_p: { type: ['number', 'null'], minimum: 0, maximum: 1 },
  n: { type: ['integer', 'null'], minimum: 1, maximum: 128 },
  max_tokens: { type: ['integer', 'null'], minimum: 1 },
  max_completion_tokens: { type: ['integer', 'null'], minimum: 1 },
  stream: FLAG,
  stream_options: { type: ['object', 'null'], properties: { include_usage: FLAG } },
  stop: { type: ['string', 'null', 'array'], items: TEXT },
  presence_penalty: { type: ['number', 'null'], minimum: -2, maximum: 2 },
  frequency_penalty: { type: ['number', 'null'], minimum: -2, maximum: 2 },
  seed: { type: ['integer', 'null'] },
  user: { type: ['string', 'null'], maxLength: 512 },
  cache: FLAG,
  tools: TOOLS,
  tool_choice: TOOL_CHOICE,
  parallel_tool_calls: FLAG,
  functions: {
    type: ['array', 'null'],
    items: { type: 'object', required: ['name'], properties: { name: NAME, ...FUNCTION_FIELDS } },
  },
  function_call: { type: ['string', 'object', 'null'], required: ['name'], properties: { name: NAME } },
  response_format: RESPONSE_FORMAT,
  reasoning_effort: TEXT_OR_NULL,
  verbosity: TEXT_OR_NULL,
  service_tier: TEXT_OR_NULL,
  prompt_cache_key: TEXT_OR_NULL,
  safety_identifier: TEXT_OR_NULL,
  store: FLAG,
  logit_bias: OBJECT_OR_NULL,
  metadata: OBJECT_OR_NULL,
  audio: OBJECT_OR_NULL,
  web_search_options: OBJECT_OR_NULL,
  modalities: { type: ['array', 'null'], items: TEXT },
  prediction: { type: ['object', 'null'], required: ['type'], properties: { type: TEXT, content: CONTENT } },
};

/** Collections of documents, our own field. */
const COLLECTION: SchemaObject = {
  type: ['string', 'array', 'null'],
  pattern: COLLECTION_NAME.source,
  minItems: 1,
  maxItems: MAX_COLLECTION_LIST,
  items: { type: 'string', pattern: COLLECTION_NAME.source },
};

const CHAT_PROPERTIES: Readonly<Record<string, SchemaObject>> = {
  ...PARAMETERS,
  messages: { type: 'array', minItems: 1, items: MESSAGE },
  collection: COLLECTION,
  logprobs: FLAG,
  top_logprobs: { type: ['integer', 'null'], minimum: 0, maximum: 20 },
};

const COMPLETION_PROPERTIES: Readonly<Record<string, SchemaObject>> = {
  ...PARAMETERS,
  prompt: { type: ['string', 'array'], minItems: 1, maxItems: 20, items: TEXT },
  echo: FLAG,
  best_of: { type: ['integer', 'null'], minimum: 1, maximum: 20 },
  logprobs: { type: ['integer', 'null'], minimum: 0, maximum: 5 },
  suffix: TEXT_OR_NULL,
};

/** Known fields of Chat Completions. */
export const CHAT_COMPLETION_FIELDS = Object.keys(CHAT_PROPERTIES);

/** Known fields of Completions. */
export const COMPLETION_FIELDS = Object.keys(COMPLETION_PROPERTIES);

/**
 * Schema of Chat Completions. Unknown fields pass through; the schema covers those that we rely on or would be
 * blamed for.
 */
export const CHAT_COMPLETION: SchemaObject = {
  type: 'object',
  required: ['messages'],
  properties: CHAT_PROPERTIES,
};

/** Schema of Completions, the legacy route: one prompt or several, no chat. */
export const COMPLETION: SchemaObject = {
  type: 'object',
  required: ['prompt'],
  properties: COMPLETION_PROPERTIES,
};

/** Schema of Embeddings. */
export const EMBEDDING: SchemaObject = {
  type: 'object',
  required: ['model', 'input'],
  properties: {
    model: PARAMETERS['model'],
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
    user: PARAMETERS['user'],
  },
};
