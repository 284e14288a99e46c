import { getSchemaPath } from '@nestjs/swagger';
import { BATCH_ENDPOINTS, METADATA_LIMITS } from '../../features/batches/index.js';
import { COLLECTION_LIST_SCHEMA, SourceBody } from '../../features/rag/index.js';
import type { SchemaObject } from '../../http/index.js';
import { COMPLETION_WINDOW, EXPIRY_SECONDS } from './batches-body.js';

const MODEL: SchemaObject = {
  type: 'string',
  description: 'Model as `provider/model` or a bare model name. Defaults to the server’s default model.',
  example: 'demo/echo',
};

/** The documented part of a Chat Completions body; all other fields of OpenAI's are accepted too. */
export const CHAT_COMPLETION_DOC: SchemaObject = {
  type: 'object',
  required: ['messages'],
  additionalProperties: true,
  description:
    'As specified at https://platform.openai.com/docs/api-reference/chat/create. Unknown fields are passed through.',
  properties: {
    model: MODEL,
    messages: {
      type: 'array',
      minItems: 1,
      description: 'Messages of the conversation so far.',
      items: {
        type: 'object',
        required: ['role'],
        additionalProperties: true,
        properties: {
          role: { type: 'string', enum: ['system', 'developer', 'user', 'assistant', 'tool', 'function'] },
          content: { description: 'Text, or an array of content parts.' },
        },
      },
      example: [{ role: 'user', content: 'Why is the sky blue?' }],
    },
    stream: {
      type: 'boolean',
      default: false,
      description: 'Whether to stream the answer as Server-Sent Events.',
    },
    temperature: {
      type: 'number',
      minimum: 0,
      maximum: 2,
      description: 'Sampling temperature, 0 to 2.',
    },
    max_completion_tokens: {
      type: 'integer',
      minimum: 1,
      description: 'Maximum number of tokens in the answer.',
    },
    collection: {
      ...COLLECTION_LIST_SCHEMA,
      description:
        'Collections of documents that the answer is based on: the id of one, the name of one of yours, or a list of up to 20. Passages are searched for the text of the last user message, at most 5,000 characters, and added to it. The completion, or the first chunk of a stream, has the `sources`; the text cites them as `[1]`. If nothing relevant is found, the answer says so and no model is called. Needs the scope `rag`. Cannot be combined with `n` above 1, `logprobs`, `audio`, `web_search_options`, `functions` and `function_call`. Never sent to the provider.',
    },
  },
};

/** Examples of requests. */
export const CHAT_COMPLETION_REQUESTS = {
  question: {
    summary: 'A question',
    value: { model: 'demo/echo', messages: [{ role: 'user', content: 'Why is the sky blue?' }] },
  },
  documents: {
    summary: 'A question about documents',
    value: {
      model: 'demo/echo',
      messages: [{ role: 'user', content: 'How long is the notice period?' }],
      collection: 'default',
    },
  },
};

/** Examples of a whole and a streamed answer. */
export const CHAT_COMPLETION_EXAMPLE = {
  'application/json': {
    schema: {
      type: 'object',
      additionalProperties: true,
      properties: {
        sources: {
          type: 'array',
          items: { $ref: getSchemaPath(SourceBody) },
          description: 'Present only if the request has `collection`. Empty if nothing relevant was found.',
        },
      },
    } satisfies SchemaObject,
    example: {
      id: 'chatcmpl-1',
      object: 'chat.completion',
      created: 1_790_000_000,
      model: 'demo/echo',
      choices: [
        {
          index: 0,
          message: { role: 'assistant', content: 'Hello!' },
          finish_reason: 'stop',
          logprobs: null,
        },
      ],
      usage: { prompt_tokens: 9, completion_tokens: 2, total_tokens: 11 },
    },
  },
  'text/event-stream': {
    schema: { type: 'string' } satisfies SchemaObject,
    example:
      'data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1790000000,"model":"demo/echo","choices":[{"index":0,"delta":{"content":"Hello!"},"finish_reason":null}]}\n\ndata: [DONE]\n\n',
  },
};

/** The body of Completions. */
export const COMPLETION_DOC: SchemaObject = {
  type: 'object',
  example: { model: 'demo/echo', prompt: 'Say hello.' },
  required: ['prompt'],
  additionalProperties: true,
  description: 'As specified at https://platform.openai.com/docs/api-reference/completions/create.',
  properties: {
    model: MODEL,
    prompt: {
      type: 'string',
      description: 'Prompt to complete; an array of up to 20 texts if not streamed.',
      example: 'Say hello.',
    },
    stream: {
      type: 'boolean',
      default: false,
      description: 'Whether to stream the answer as Server-Sent Events.',
    },
    max_tokens: { type: 'integer', minimum: 1, description: 'Maximum number of tokens in the answer.' },
  },
};

/** Examples of a whole and a streamed completion. */
export const COMPLETION_EXAMPLE = {
  'application/json': {
    schema: { type: 'object', additionalProperties: true } satisfies SchemaObject,
    example: {
      id: 'cmpl-1',
      object: 'text_completion',
      created: 1_790_000_000,
      model: 'demo/echo',
      choices: [{ text: 'Hello!', index: 0, finish_reason: 'stop', logprobs: null }],
      usage: { prompt_tokens: 3, completion_tokens: 2, total_tokens: 5 },
    },
  },
  'text/event-stream': {
    schema: { type: 'string' } satisfies SchemaObject,
    example:
      'data: {"id":"cmpl-1","object":"text_completion","created":1790000000,"model":"demo/echo","choices":[{"index":0,"text":"Hello!","finish_reason":null,"logprobs":null}]}\n\ndata: [DONE]\n\n',
  },
};

/** The body of Embeddings. */
export const EMBEDDING_DOC: SchemaObject = {
  type: 'object',
  example: { model: 'openai/text-embedding-3-small', input: ['Hello'] },
  required: ['model', 'input'],
  additionalProperties: true,
  description: 'As specified at https://platform.openai.com/docs/api-reference/embeddings/create.',
  properties: {
    model: MODEL,
    input: {
      description: 'Text, or an array of up to 2,048 texts; token arrays are accepted as well.',
      example: ['Hello'],
    },
    dimensions: { type: 'integer', minimum: 1, description: 'Number of dimensions of the vectors.' },
    encoding_format: {
      type: 'string',
      enum: ['float', 'base64'],
      default: 'float',
      description: 'Encoding of the vectors.',
    },
  },
};

/** Example of an embeddings response. */
export const EMBEDDING_EXAMPLE = {
  'application/json': {
    schema: { type: 'object', additionalProperties: true } satisfies SchemaObject,
    example: {
      object: 'list',
      data: [{ object: 'embedding', index: 0, embedding: [0.6, 0.8] }],
      model: 'openai/text-embedding-3-small',
      usage: { prompt_tokens: 1, total_tokens: 1 },
    },
  },
};

/** The body of a request to create a batch. */
export const BATCH_CREATE_DOC: SchemaObject = {
  type: 'object',
  required: ['input_file_id', 'endpoint', 'completion_window'],
  example: {
    input_file_id: 'file-01a1ff5639c173d3a3f4d1a2b3c4d5e6',
    endpoint: '/v1/chat/completions',
    completion_window: '24h',
  },
  description:
    'As specified at https://platform.openai.com/docs/api-reference/batch/create. Unknown fields are ignored.',
  properties: {
    input_file_id: {
      type: 'string',
      minLength: 1,
      maxLength: 64,
      description: 'Id of an uploaded file with the purpose `batch`.',
      example: 'file-01a1ff5639c173d3a3f4d1a2b3c4d5e6',
    },
    endpoint: {
      type: 'string',
      enum: [...BATCH_ENDPOINTS],
      description: 'Route that answers the requests; their `url` is the same.',
      example: '/v1/chat/completions',
    },
    completion_window: {
      type: 'string',
      enum: [COMPLETION_WINDOW],
      description: 'Time after which requests that have not run expire.',
      example: COMPLETION_WINDOW,
    },
    metadata: {
      type: 'object',
      nullable: true,
      maxProperties: METADATA_LIMITS.fields,
      additionalProperties: { type: 'string', maxLength: METADATA_LIMITS.valueLength },
      description: `Up to ${METADATA_LIMITS.fields} texts, with names of at most ${METADATA_LIMITS.nameLength} characters.`,
      example: { project: 'reviews' },
    },
    output_expires_after: {
      type: 'object',
      nullable: true,
      required: ['anchor', 'seconds'],
      description: 'Lifetime of the result files. By default they do not expire.',
      properties: {
        anchor: {
          type: 'string',
          enum: ['created_at'],
          description: 'Always `created_at`, that of the file.',
        },
        seconds: { type: 'integer', ...EXPIRY_SECONDS, description: 'Lifetime, in seconds.' },
      },
      example: { anchor: 'created_at', seconds: 86_400 },
    },
  },
};
