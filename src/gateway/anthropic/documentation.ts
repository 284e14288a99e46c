import type { SchemaObject } from '../../http/index.js';

const SHARED: Record<string, SchemaObject> = {
  model: {
    type: 'string',
    description: 'Model as `provider/model` or a bare model name. Defaults to the server’s default model.',
    example: 'demo/echo',
  },
  messages: {
    type: 'array',
    minItems: 1,
    description: 'Messages of the conversation so far.',
    items: {
      type: 'object',
      required: ['role', 'content'],
      additionalProperties: true,
      properties: {
        role: { type: 'string', enum: ['user', 'assistant', 'system'] },
        content: { description: 'Text, or an array of content blocks.' },
      },
    },
    example: [{ role: 'user', content: 'Why is the sky blue?' }],
  },
  system: { description: 'System prompt: text, or an array of text blocks.' },
};

/** The documented part of a Messages body; all other fields of Anthropic's are accepted too. */
export const MESSAGE_DOC: SchemaObject = {
  type: 'object',
  example: {
    model: 'demo/echo',
    max_tokens: 1024,
    messages: [{ role: 'user', content: 'Why is the sky blue?' }],
  },
  required: ['max_tokens', 'messages'],
  additionalProperties: true,
  description:
    'As specified at https://platform.claude.com/docs/en/api/messages. Features that only Anthropic’s models support are rejected by name if the request goes to another model.',
  properties: {
    ...SHARED,
    max_tokens: {
      type: 'integer',
      minimum: 1,
      description: 'Maximum number of tokens in the answer.',
      example: 1024,
    },
    stream: {
      type: 'boolean',
      default: false,
      description: 'Whether to stream the answer as Server-Sent Events.',
    },
    temperature: {
      type: 'number',
      minimum: 0,
      maximum: 1,
      description: 'Sampling temperature, 0 to 1.',
    },
  },
};

/** The body of the token counting route. */
export const COUNT_DOC: SchemaObject = {
  type: 'object',
  example: { model: 'demo/echo', messages: [{ role: 'user', content: 'Why is the sky blue?' }] },
  required: ['messages'],
  additionalProperties: true,
  description: 'As specified at https://platform.claude.com/docs/en/api/messages-count-tokens.',
  properties: SHARED,
};

const USAGE = {
  input_tokens: 9,
  cache_creation_input_tokens: 0,
  cache_read_input_tokens: 0,
  output_tokens: 2,
};

/** Examples of a whole and a streamed answer. */
export const MESSAGE_EXAMPLE = {
  'application/json': {
    schema: { type: 'object', additionalProperties: true } satisfies SchemaObject,
    example: {
      id: 'msg_0199a3f05b7e7cc39d3a2f6f1c0e9a11',
      type: 'message',
      role: 'assistant',
      model: 'demo/echo',
      content: [{ type: 'text', text: 'Hello!' }],
      stop_reason: 'end_turn',
      stop_sequence: null,
      usage: USAGE,
    },
  },
  'text/event-stream': {
    schema: { type: 'string' } satisfies SchemaObject,
    example:
      'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Hello!"}}\n\nevent: message_stop\ndata: {"type":"message_stop"}\n\n',
  },
};

/** Example of a token count. */
export const COUNT_EXAMPLE = {
  'application/json': {
    schema: {
      type: 'object',
      required: ['input_tokens'],
      properties: {
        input_tokens: { type: 'integer', minimum: 0, description: 'Number of tokens in the request.' },
      },
    } satisfies SchemaObject,
    example: { input_tokens: 9 },
  },
};
