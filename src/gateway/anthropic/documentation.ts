import type { SchemaObject } from '../../http/index.js';

const shared: Record<string, SchemaObject> = {
  model: {
    type: 'string',
    description: '`provider/model` or a bare model name; the server’s default without it.',
    example: 'demo/echo',
  },
  messages: {
    type: 'array',
    minItems: 1,
    description: 'The conversation so far.',
    items: {
      type: 'object',
      required: ['role', 'content'],
      additionalProperties: true,
      properties: {
        role: { type: 'string', enum: ['user', 'assistant', 'system'] },
        content: { description: 'A text, or an array of blocks.' },
      },
    },
    example: [{ role: 'user', content: 'Why is the sky blue?' }],
  },
  system: { description: 'What the model is told beforehand: a text, or an array of text blocks.' },
};

/** The documented part of a Messages body; all other fields of Anthropic's are accepted too. */
export const MESSAGE_DOC: SchemaObject = {
  type: 'object',
  required: ['max_tokens', 'messages'],
  additionalProperties: true,
  description:
    'As https://platform.claude.com/docs/en/api/messages. What only Anthropic’s models understand is refused by name where another one is asked.',
  properties: {
    ...shared,
    max_tokens: { type: 'integer', minimum: 1, description: 'Most tokens of the answer.', example: 1024 },
    stream: { type: 'boolean', default: false, description: 'Answer as it comes, over Server-Sent Events.' },
    temperature: {
      type: 'number',
      minimum: 0,
      maximum: 1,
      description: 'How freely the model chooses its words.',
    },
  },
};

/** The body of the token counting route. */
export const COUNT_DOC: SchemaObject = {
  type: 'object',
  required: ['messages'],
  additionalProperties: true,
  description: 'As https://platform.claude.com/docs/en/api/messages-count-tokens.',
  properties: shared,
};

const usage = {
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
      usage,
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
      properties: { input_tokens: { type: 'integer', minimum: 0, description: 'Tokens of the request.' } },
    } satisfies SchemaObject,
    example: { input_tokens: 9 },
  },
};
