import type { SchemaObject } from 'ajv';
import { listOfTyped, schemaForType } from '../schema-for-tag.js';

/**
 * Printable characters: the ledger stores the name of every requested model, and cannot store NUL and lone
 * surrogates.
 */
const NAME = '^[^\\p{Cc}\\p{Cs}]+$';

const text = { type: 'string' } as const;

/** The known types of blocks. Other types are left to the provider. */
const knownBlocks: readonly SchemaObject[] = [
  schemaForType('text', { text }),
  schemaForType('image', {
    source: {
      type: 'object',
      required: ['type'],
      properties: { type: text },
      allOf: [schemaForType('base64', { data: text, media_type: text }), schemaForType('url', { url: text })],
    },
  }),
  schemaForType('tool_use', { id: text, name: text, input: { type: 'object' } }),
  schemaForType('thinking', { thinking: text, signature: text }),
];

/** A string, or a list of blocks. */
const contentOf = (blocks: readonly SchemaObject[]): SchemaObject => ({
  type: ['string', 'array'],
  ...listOfTyped(blocks),
});

const toolResult = schemaForType(
  'tool_result',
  { tool_use_id: text },
  { is_error: { type: ['boolean', 'null'] }, content: contentOf(knownBlocks) },
);

const format: SchemaObject = {
  type: ['object', 'null'],
  required: ['type', 'schema'],
  properties: { type: { const: 'json_schema' }, schema: { type: 'object' } },
};

const properties: Readonly<Record<string, SchemaObject>> = {
  model: { type: 'string', minLength: 1, maxLength: 256, pattern: NAME },
  messages: {
    type: 'array',
    minItems: 1,
    items: {
      type: 'object',
      required: ['role', 'content'],
      properties: {
        role: { enum: ['user', 'assistant', 'system'] },
        content: contentOf([...knownBlocks, toolResult]),
      },
    },
  },
  system: {
    type: ['string', 'array'],
    items: {
      type: 'object',
      required: ['type', 'text'],
      properties: { type: { const: 'text' }, text },
    },
  },
  tools: {
    type: 'array',
    items: {
      type: 'object',
      properties: {
        type: { type: ['string', 'null'] },
        name: { type: 'string', minLength: 1 },
        description: text,
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
        properties: { name: text, input_schema: { type: 'object' } },
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
    ...schemaForType('tool', { name: text }),
  },
  thinking: {
    type: 'object',
    required: ['type'],
    properties: { type: text },
    ...schemaForType('enabled', { budget_tokens: { type: 'integer', minimum: 1 } }),
  },
  output_config: {
    type: 'object',
    properties: { effort: { enum: ['low', 'medium', 'high', 'xhigh', 'max', null] }, format },
  },
  output_format: format,
  max_tokens: { type: 'integer', minimum: 1 },
  stream: { type: ['boolean', 'null'] },
  cache: { type: ['boolean', 'null'] },
  temperature: { type: ['number', 'null'], minimum: 0, maximum: 1 },
  top_p: { type: ['number', 'null'], minimum: 0, maximum: 1 },
  top_k: { type: ['integer', 'null'], minimum: 0 },
  stop_sequences: { type: 'array', items: text },
  metadata: {
    type: ['object', 'null'],
    properties: { user_id: { type: ['string', 'null'], maxLength: 512 } },
  },
};

/**
 * Schema of Messages. Unknown fields pass through; the schema covers those that we rely on or would be blamed
 * for.
 */
export const MESSAGES: SchemaObject = { type: 'object', required: ['max_tokens', 'messages'], properties };

/**
 * Schema of the token counting route. The fields of an answer have no effect there, but are validated
 * nevertheless.
 */
export const COUNT_TOKENS: SchemaObject = { type: 'object', required: ['messages'], properties };

/** The query of the list of models. */
export const MODEL_PAGE: SchemaObject = {
  type: 'object',
  properties: {
    limit: { type: 'string', pattern: '^([1-9][0-9]{0,2}|1000)$' },
    after_id: text,
    before_id: text,
  },
};
