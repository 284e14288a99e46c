import type { SchemaObject } from 'ajv';

/** Printable characters: the ledger names every model that was asked, and cannot store NUL and lone surrogates. */
const NAME = '^[^\\p{Cc}\\p{Cs}]+$';

const text = { type: 'string' } as const;

/** An object whose `type` is this one has these fields; one of another type passes, and so do all other fields. */
function whereType(type: string, fields: Readonly<Record<string, SchemaObject>>): SchemaObject {
  return {
    if: { type: 'object', properties: { type: { const: type } } },
    then: { type: 'object', required: Object.keys(fields), properties: fields },
  };
}

/** What we read of the blocks that we know. */
const knownBlocks: readonly SchemaObject[] = [
  whereType('text', { text }),
  whereType('image', {
    source: {
      type: 'object',
      required: ['type'],
      properties: { type: text },
      allOf: [whereType('base64', { data: text, media_type: text }), whereType('url', { url: text })],
    },
  }),
  whereType('tool_use', { id: text, name: text, input: { type: 'object' } }),
  whereType('thinking', { thinking: text, signature: text }),
];

/** A text, or blocks. */
const contentOf = (blocks: readonly SchemaObject[]): SchemaObject => ({
  anyOf: [
    { type: 'string' },
    {
      type: 'array',
      items: { type: 'object', required: ['type'], properties: { type: text }, allOf: blocks },
    },
  ],
});

const toolResult: readonly SchemaObject[] = [
  whereType('tool_result', { tool_use_id: text }),
  {
    if: { type: 'object', properties: { type: { const: 'tool_result' } } },
    then: {
      type: 'object',
      properties: { is_error: { type: ['boolean', 'null'] }, content: contentOf(knownBlocks) },
    },
  },
];

const shared = {
  model: { type: 'string', minLength: 1, maxLength: 256, pattern: NAME },
  messages: {
    type: 'array',
    minItems: 1,
    items: {
      type: 'object',
      required: ['role', 'content'],
      properties: {
        role: { enum: ['user', 'assistant', 'system'] },
        content: contentOf([...knownBlocks, ...toolResult]),
      },
    },
  },
  system: contentOf(knownBlocks),
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
      // A tool of the provider's own has a type, and whatever else it needs.
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
    ...whereType('tool', { name: text }),
  },
  thinking: {
    type: 'object',
    required: ['type'],
    properties: { type: text },
    ...whereType('enabled', { budget_tokens: { type: 'integer', minimum: 1 } }),
  },
  output_config: {
    type: 'object',
    properties: {
      effort: { enum: ['low', 'medium', 'high', 'xhigh', 'max', null] },
      format: {
        type: ['object', 'null'],
        required: ['type', 'schema'],
        properties: { type: { const: 'json_schema' }, schema: { type: 'object' } },
      },
    },
  },
} as const;

/** Messages. What it does not name passes through; what it names is what we rely on or would be blamed for. */
export const MESSAGES: SchemaObject = {
  type: 'object',
  required: ['max_tokens', 'messages'],
  properties: {
    ...shared,
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
  },
};

/** The route that counts tokens. */
export const COUNT_TOKENS: SchemaObject = { type: 'object', required: ['messages'], properties: shared };

/** The query of the list of models. */
export const MODEL_PAGE: SchemaObject = {
  type: 'object',
  properties: {
    limit: { type: 'string', pattern: '^([1-9][0-9]{0,2}|1000)$' },
    after_id: text,
    before_id: text,
  },
};
