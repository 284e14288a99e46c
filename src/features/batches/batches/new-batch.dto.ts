import { type SchemaObject, toDocumentedSchema } from '../../../http/index.js';
import { fieldOf, type Fields } from '../input/shared-fields.js';
import { BATCH_LIMITS } from '../model/batch.js';
import { BATCH_TASKS, type BatchTask } from '../model/batch-task.js';

/** Maximum length of the shared system prompt, in UTF-16 units. */
const MAX_SYSTEM_PROMPT = 32_000;

/** Maximum number of requests of a batch that run at once. */
const MAX_CONCURRENCY = 64;

/** The body of a submission, validated. */
export interface NewBatchBody extends Fields {
  readonly task?: BatchTask;
  readonly texts?: readonly string[];
  readonly requests?: readonly Fields[];
  readonly input_file_id?: string;
  readonly max_concurrency?: number;
  readonly metadata?: Fields;
}

/** Returns a schema that also accepts null, which counts as absent. */
const optional = (description: string, schema: SchemaObject): SchemaObject => ({
  ...schema,
  description,
  nullable: true,
});

const number = (minimum: number, maximum: number): SchemaObject => ({ type: 'number', minimum, maximum });
const integer = (minimum: number, maximum: number): SchemaObject => ({ type: 'integer', minimum, maximum });
const text = (maxLength: number): SchemaObject => ({ type: 'string', minLength: 1, maxLength });

/** JSON schema of a submission: a class with decorators would take seconds for 50,000 requests. */
export const NEW_BATCH: SchemaObject = {
  type: 'object',
  additionalProperties: false,
  properties: {
    task: {
      ...optional(
        'Kind of work: `chat` answers each request, `embed` computes its embedding. `chat` by default.',
        { type: 'string' },
      ),
      enum: [...BATCH_TASKS, null],
      default: 'chat',
    },
    texts: optional(
      'Texts, each of which is one request: with the task `chat` it is the message of the user, with `embed` it is embedded. Exactly one of `texts`, `requests` and `input_file_id` is required.',
      { type: 'array', minItems: 1, maxItems: BATCH_LIMITS.items, items: { type: 'string' } },
    ),
    requests: optional(
      'Requests: `{custom_id?, text}`, or `{custom_id?, messages}` as in Chat Completions, or `{custom_id?, input}` with the task `embed`. Any further field of a request is one of the route that answers it, `/v1/chat/completions` or `/v1/embeddings`, and takes precedence over the shared field of the batch. A `custom_id` has 1 to 512 characters and is unique in the batch; it is `request-1`, `request-2` and so on, by the place of the request, if it is absent.',
      {
        type: 'array',
        minItems: 1,
        maxItems: BATCH_LIMITS.items,
        items: { type: 'object', additionalProperties: true, properties: {} },
      },
    ),
    input_file_id: optional(
      'Id of one of your files with one request per line (JSON Lines), each in a form of `requests` or as in OpenAI’s batches (`{custom_id, method, url, body}`). Upload it with the purpose `batch` to send up to `BATCH_MAX_INPUT_MB` (200). Ids of OpenAI’s form (`file-…`) work too. The file is validated in the background; faults are listed in `errors`.',
      text(64),
    ),
    model: optional(
      'Model of the requests that name none, as `provider/model` or a bare model name. Defaults to the server’s default model; required with the task `embed`.',
      text(256),
    ),
    system_prompt: optional(
      'Instructions for the model: the first message of all requests that have no system or developer message. Task `chat` only, like all fields below up to `response_format`.',
      text(MAX_SYSTEM_PROMPT),
    ),
    temperature: optional('Sampling temperature, 0 to 2.', number(0, 2)),
    top_p: optional('Probability mass from which tokens are sampled, 0 to 1.', number(0, 1)),
    max_tokens: optional('Maximum number of tokens in each answer.', integer(1, 10_000_000)),
    stop: optional('Texts at which an answer ends, at most 4.', {
      type: 'array',
      minItems: 1,
      maxItems: 4,
      items: text(1000),
    }),
    seed: optional(
      'Seed for sampling, for models that support it.',
      integer(Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER),
    ),
    presence_penalty: optional('Penalty for tokens that occurred before, -2 to 2.', number(-2, 2)),
    frequency_penalty: optional('Penalty for tokens that occurred often, -2 to 2.', number(-2, 2)),
    reasoning_effort: optional('Effort of reasoning models, such as `low` or `high`.', text(32)),
    response_format: optional(
      'Format of the answers, as in Chat Completions: `{"type":"json_object"}`, or `json_schema` with a schema.',
      {
        type: 'object',
        required: ['type'],
        additionalProperties: false,
        properties: {
          type: {
            type: 'string',
            enum: ['text', 'json_object', 'json_schema'],
            description: 'Type of the format.',
          },
          json_schema: {
            type: 'object',
            additionalProperties: true,
            properties: {},
            description: 'Name and schema of the answers. Required if `type` is `json_schema`.',
          },
        },
      },
    ),
    dimensions: optional(
      'Number of dimensions of each embedding, for models that support it. Task `embed` only.',
      integer(1, 65_536),
    ),
    max_concurrency: optional(
      'Maximum number of requests of this batch that run at once, 1 to 64. By default only the limits of the server apply.',
      integer(1, MAX_CONCURRENCY),
    ),
    metadata: optional(
      'Your own data: at most 16 pairs of strings, with keys of up to 64 and values of up to 512 characters. Shown with the batch.',
      { type: 'object', additionalProperties: true, properties: {} },
    ),
  },
};

/** The schema as shown in the documentation. */
export const NEW_BATCH_DOC = toDocumentedSchema(NEW_BATCH);

/** Leaves out the fields that are null, which counts as absent. */
export function withoutNulls(body: NewBatchBody): NewBatchBody {
  return Object.fromEntries(Object.entries(body).filter(([name]) => fieldOf(body, name) !== undefined));
}
