import type { SchemaObject } from 'ajv';
import { listOfTyped, schemaForType } from '../schema-for-tag.js';

/**
 * Printable characters: the ledger stores the name of every requested model, and cannot store NUL and lone
 * surrogates.
 */
const NAME = '^[^\\p{Cc}\\p{Cs}]+$';

const TEXT = { type: 'string' } as const;

/** The known types of blocks. Other types are left to the provider. */
const KNOWN_BLOCKS: readonly SchemaObject[] = [
  schemaForType('text', { text: TEXT }),
  schemaForType('image', {
    source: {
      type: 'object',
      required: ['type'],
      properties: { type: TEXT },
      allOf: [schemaForType('base64', { data: TEXT, media_type: TEXT }), schemaForType('url', { url: TEXT })],
    },
  }),
  schemaForType('tool_use', { id: TEXT, name: TEXT, input: { type: 'object' } }),
  schemaForType('thinking', { thinking: TEXT, signature: TEXT }),
];

/** A string, or a list of blocks. */
const contentOf = (blocks: readonly SchemaObject[]): SchemaObject => ({
  type: ['string', 'array'],
  ...listOfTyped(blocks),
});

const TOOL_RESULT = schemaForType(
  'tool_result',
  { tool_use_id: TEXT },
  { is_error: { type: ['boolean', 'null'] }, content: contentOf(KNOWN_BLOCKS) },
);

const FORMAT: SchemaObject = {
  type: ['object', 'null'],
  required: ['type', 'schema'],
  properties: { type: { const: 'json_schema' }, schema: { type: 'object' } },
};

const PROPERTIES: Readonly<Record<string, SchemaObject>> = {
  model: { type: 'string', minLength: 1, maxLength: 256, pattern: NAME },
  messages: {
    type: 'array',
    minItems: 1,
    items: {
      type: 'object',
      required: ['role', 'content'],
      properties: {
        role: { enum: ['user', 'assistant', 'system'] },
        content: contentOf([...KNOWN_BLOCKS, TOOL_RESULT]),
      },
    },
  },
  system: {
    type: ['string', 'array'],
    items: {
      type: 'object',
      required: ['type', 'text'],
      properties: { type: { const: 'text' }, text: TEXT },
    },
  },
  tools: {
    type: 'array',
    items: {
      type: 'object',
      properties: {
        type: { type: ['string', 'null'] },
        name: { type: 'string', minLength: 1 },
        description: TEXT,
        input_schema: { type: 'object' },
      },
      // A tool of the provider's own has a type, and any other fields.
      if: {
        type: 'object',
        required: ['type'],
        properties: { type: { type: 'string', not: { const: 'custom' } } },
      },
      else: {
        type: 'object',
        required: ['name', 'input_schema'],
        properties: { name: TEXT, input_schema: { type: 'object' } },
      },
    },
  },
  tool_choice: {
    type: 'object',
    required: ['type'],
    properties: {
      type: { enum: ['auto', 'any', 'tool', 'none'] },
      disable_parallel_tool_use: { type: 'boolean' },
    },
    ...schemaForType('tool', { name: TEXT }),
  },
  thinking: {
    type: 'object',
    required: ['type'],
    properties: { type: TEXT },
    ...schemaForType('enabled', { budget_tokens: { type: 'integer', minimum: 1 } }),
  },
  output_config: {
    type: 'object',
    properties: { effort: { enum: ['low', 'medium', 'high', 'xhigh', 'max', null] }, format: FORMAT },
  },
  output_format: FORMAT,
  max_tokens: { type: 'integer', minimum: 1 },
  stream: { type: ['boolean', 'null'] },
  cache: { type: ['boolean', 'null'] },
  temperature: { type: ['number', 'null'], minimum: 0, maximum: 1 },
  top_p: { type: ['number', 'null'], minimum: 0, maximum: 1 },
  top_k: { type: ['integer', 'null'], minimum: 0 },
  stop_sequences: { type: 'array', items: TEXT },
  metadata: {
    type: ['object', 'null'],
    properties: { user_id: { type: ['string', 'null'], maxLength: 512 } },
  },
};

/**
 * Schema of Messages. Unknown fields pass through; the schema covers those that we rely on or would be blamed
 * for.
 */
export const MESSAGES: SchemaObject = {
  type: 'object',
  required: ['max_tokens', 'messages'],
  properties: PROPERTIES,
};

/**
 * Schema of the token counting route. The fields of an answer have no effect there, but are validated
 * nevertheless.
 */
export const COUNT_TOKENS: SchemaObject = { type: 'object', required: ['messages'], properties: PROPERTIES };

/** The query of the list of models. */
export const MODEL_PAGE: SchemaObject = {
  type: 'object',
  properties: {
    limit: { type: 'string', pattern: '^([1-9][0-9]{0,2}|1000)$' },
    after_id: TEXT,
    before_id: TEXT,
  },
};
