/*
 * Every metric that Parley exports, in one place. Names follow the conventions of Prometheus (base units, `_total`,
 * `_seconds`) and, where OpenTelemetry defines a metric for the subject (HTTP servers, generative AI, database pools),
 * its semantic conventions, translated to Prometheus: dots become underscores and the unit becomes a suffix.
 *
 * The value of a label never comes from a caller: each label has a bounded set of values, named in LABELS.
 */

/** The labels and their values. */
export const LABELS = {
  http_request_method: 'HTTP method; `_OTHER` for methods that no route has',
  http_route:
    'Template of the route (`/api/v1/conversations/:id`); `unmatched` if the request ended before it reached one',
  http_response_status_code: 'Status of the response',
  gen_ai_operation_name: '`chat` or `embeddings`',
  gen_ai_provider_name:
    'Id of a configured provider: `openai`, `anthropic`, `ollama`, `demo` or one of `LLM_HOSTS`',
  gen_ai_request_model:
    'Model, as the provider names it, if a setting or the list of the provider contains it; otherwise `other`',
  gen_ai_token_type: '`input` or `output`',
  token_type:
    '`input`, `output`, `cache_read` and `cache_write` (both part of `input`), `reasoning` (part of `output`)',
  error_type:
    'Kind of failure, for instance `rate_limited` or `unreachable`; absent if there was none. `cancelled` if the caller left, `crashed` for a defect of Parley',
  outcome: '`completed`, `failed` or `cancelled`',
  key_owner: '`server`, or `user` if the attempt used a provider key of the user',
  reason: '`circuit_open`, or `overloaded` if the queue of the provider was full',
  circuit_state: '`closed`, `open` or `probing`; one of them is 1',
  result: '`hit` or `miss`',
  limit:
    '`address_requests`, `requests`, `model_requests`, `tokens_per_minute`, `concurrency`, `tokens_per_day`, `cost_per_month` or `password_attempts`',
  queue:
    'Name of a job queue: `turns`, `conversation-tasks`, `file-texts`, `rag-ingestions`, `webhook-deliveries` or `scheduled-tasks`',
  job_state: '`waiting`, `active`, `delayed`, `prioritized`, `paused`, `waiting-children` or `failed`',
  job_outcome: '`completed` or `failed`; a job that will be retried counts as failed each time',
  text_format: '`pdf`, `docx`, `html` or `text`',
  extraction_result: '`ready`, or the code of the failure, for instance `damaged`',
  ingestion_stage: '`chunking`, with the wait for the text, or `embedding`',
  ingestion_result:
    '`finished`; `released` if the stage goes on later; `lost` if the document was cancelled or deleted; or the code of the failure',
  delivery_result: '`delivered`; `released` if the attempt was aborted; or the code of the failure',
  search_leg: '`lexical` or `vector`',
  search_method: '`words`; of vectors `exact`, `hnsw` or `signs`; `none` if the query has no vector',
  search_result: '`found`, `nothing`, or `failed` if the embedding model is unavailable',
  db_client_connection_pool_name: '`main`',
  db_client_connection_state: '`idle` or `used`',
  collector: 'What is queried during a scrape: `jobs`',
  version: 'Version of Parley',
  node_version: 'Version of Node.js',
} as const;

/** Name of a label. */
export type LabelName = keyof typeof LABELS;

/** Definition of a metric. */
export interface MetricDefinition<Label extends LabelName = LabelName> {
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly name: string;
  readonly help: string;
  readonly labels: readonly Label[];
  /** Upper bounds of the buckets of a histogram. */
  readonly buckets?: readonly number[];
}

/** Those of OpenTelemetry, with fewer steps and up to the length of a long answer. */
const REQUEST_SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300];

/** Those of OpenTelemetry, and beyond them up to `LLM_TOTAL_TIMEOUT_MS`. */
const OPERATION_SECONDS = [
  0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92, 163.84, 327.68,
  655.36,
];

/** Those of OpenTelemetry, and beyond them up to `LLM_FIRST_TOKEN_TIMEOUT_MS`. */
const FIRST_TOKEN_SECONDS = [
  0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 30, 60,
];

/** Those of OpenTelemetry, up to the longest context windows. */
const TOKENS = [1, 4, 16, 64, 256, 1_024, 4_096, 16_384, 65_536, 262_144, 1_048_576, 4_194_304];

/** Up to `EXTRACTION_TIMEOUT_S`, with the reading of the file. */
const EXTRACTION_SECONDS = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120];

/** From an index in memory to the timeout of a statement, or of an attempt at a delivery. */
const SEARCH_SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** The labels of everything that is counted per model. */
const MODEL = ['gen_ai_operation_name', 'gen_ai_provider_name', 'gen_ai_request_model'] as const;

/** Definitions of all metrics except those of Node.js and the process, which prom-client defines. */
export const METRICS = {
  requestDuration: {
    type: 'histogram',
    name: 'http_server_request_duration_seconds',
    help: 'Duration of HTTP requests, from their arrival to the end of the response; streams count in full.',
    labels: ['http_request_method', 'http_route', 'http_response_status_code'],
    buckets: REQUEST_SECONDS,
  },
  activeRequests: {
    type: 'gauge',
    name: 'http_server_active_requests',
    help: 'HTTP requests in progress, open streams included.',
    labels: [],
  },
  operationDuration: {
    type: 'histogram',
    name: 'gen_ai_client_operation_duration_seconds',
    help: 'Duration of attempts at models, from the request to the provider to the end of its answer.',
    labels: [...MODEL, 'error_type'],
    buckets: OPERATION_SECONDS,
  },
  timeToFirstToken: {
    type: 'histogram',
    name: 'gen_ai_server_time_to_first_token_seconds',
    help: 'Time from the request to the provider to the first output of a streamed answer.',
    labels: MODEL,
    buckets: FIRST_TOKEN_SECONDS,
  },
  tokenUsage: {
    type: 'histogram',
    name: 'gen_ai_client_token_usage',
    help: 'Tokens of one attempt; its sum is the number of tokens used.',
    labels: [...MODEL, 'gen_ai_token_type'],
    buckets: TOKENS,
  },
  tokens: {
    type: 'counter',
    name: 'parley_model_tokens_total',
    help: 'Tokens used, with the cached and reasoning tokens that are part of the input and the output.',
    labels: [...MODEL, 'token_type'],
  },
  cost: {
    type: 'counter',
    name: 'parley_model_cost_usd_total',
    help: 'Cost of attempts in US dollars, at the prices in force; attempts without a known price are not included.',
    labels: [...MODEL, 'key_owner'],
  },
  attempts: {
    type: 'counter',
    name: 'parley_provider_attempts_total',
    help: 'Attempts at models by outcome.',
    labels: [...MODEL, 'outcome', 'error_type'],
  },
  retries: {
    type: 'counter',
    name: 'parley_provider_retries_total',
    help: 'Attempts at the same model after a failure.',
    labels: ['gen_ai_provider_name', 'gen_ai_request_model', 'error_type'],
  },
  fallbacks: {
    type: 'counter',
    name: 'parley_provider_fallbacks_total',
    help: 'Moves to the next model of an alias, labelled with the model that failed.',
    labels: ['gen_ai_provider_name', 'gen_ai_request_model', 'error_type'],
  },
  rejectedAttempts: {
    type: 'counter',
    name: 'parley_provider_rejections_total',
    help: 'Attempts that were not made, because the circuit was open or the queue of the provider full.',
    labels: ['gen_ai_provider_name', 'reason'],
  },
  circuitState: {
    type: 'gauge',
    name: 'parley_provider_circuit_state',
    help: 'State of the circuit of a host, with the server’s own key.',
    labels: ['gen_ai_provider_name', 'circuit_state'],
  },
  openCircuits: {
    type: 'gauge',
    name: 'parley_provider_open_circuits',
    help: 'Circuits that are not closed: of the host, of its models, and of both with keys of users.',
    labels: ['gen_ai_provider_name'],
  },
  runningCalls: {
    type: 'gauge',
    name: 'parley_provider_calls_running',
    help: 'Attempts in progress.',
    labels: ['gen_ai_provider_name'],
  },
  waitingCalls: {
    type: 'gauge',
    name: 'parley_provider_calls_waiting',
    help: 'Attempts that wait for a slot at their provider.',
    labels: ['gen_ai_provider_name'],
  },
  concurrencyLimit: {
    type: 'gauge',
    name: 'parley_provider_concurrency_limit',
    help: 'Maximum attempts in progress (LLM_MAX_CONCURRENCY).',
    labels: ['gen_ai_provider_name'],
  },
  queueLimit: {
    type: 'gauge',
    name: 'parley_provider_queue_limit',
    help: 'Maximum attempts that wait (LLM_MAX_QUEUE).',
    labels: ['gen_ai_provider_name'],
  },
  runningGenerations: {
    type: 'gauge',
    name: 'parley_generations_running',
    help: 'Answers of conversations that this process generates.',
    labels: [],
  },
  cacheLookups: {
    type: 'counter',
    name: 'parley_answer_cache_lookups_total',
    help: 'Requests with `cache: true` by whether their answer was cached.',
    labels: ['result'],
  },
  limitRejections: {
    type: 'counter',
    name: 'parley_limit_rejections_total',
    help: 'Requests refused by a rate limit or quota.',
    labels: ['limit'],
  },
  jobs: {
    type: 'gauge',
    name: 'parley_jobs',
    help: 'Jobs in the queue by state, the same in every process; at most a few seconds old.',
    labels: ['queue', 'job_state'],
  },
  finishedJobs: {
    type: 'counter',
    name: 'parley_jobs_finished_total',
    help: 'Runs of jobs in this process by outcome.',
    labels: ['queue', 'job_outcome'],
  },
  extractionDuration: {
    type: 'histogram',
    name: 'parley_text_extraction_duration_seconds',
    help: 'Duration of text extraction in this process, with the reading of the file; attempts that are repeated are not included.',
    labels: ['text_format', 'extraction_result'],
    buckets: EXTRACTION_SECONDS,
  },
  ingestionDuration: {
    type: 'histogram',
    name: 'parley_ingestion_stage_duration_seconds',
    help: 'Duration of a stage of an attempt to ingest a document in this process.',
    labels: ['ingestion_stage', 'ingestion_result'],
    buckets: EXTRACTION_SECONDS,
  },
  embeddedChunks: {
    type: 'counter',
    name: 'parley_ingestion_embedded_chunks_total',
    help: 'Chunks of documents whose vectors this process has stored.',
    labels: [],
  },
  webhookDeliveryDuration: {
    type: 'histogram',
    name: 'parley_webhook_delivery_attempt_duration_seconds',
    help: 'Duration of an attempt of this process to deliver an event to a webhook.',
    labels: ['delivery_result'],
    buckets: SEARCH_SECONDS,
  },
  searchLegDuration: {
    type: 'histogram',
    name: 'parley_search_leg_duration_seconds',
    help: 'Duration of one way of searching for passages, without the call to the embedding model. Ways that are off are not included.',
    labels: ['search_leg', 'search_method', 'search_result'],
    buckets: SEARCH_SECONDS,
  },
  databaseConnections: {
    type: 'gauge',
    name: 'db_client_connection_count',
    help: 'Connections of the database pool by state.',
    labels: ['db_client_connection_pool_name', 'db_client_connection_state'],
  },
  databaseConnectionLimit: {
    type: 'gauge',
    name: 'db_client_connection_max',
    help: 'Maximum connections of the database pool (DATABASE_POOL_MAX).',
    labels: ['db_client_connection_pool_name'],
  },
  databasePending: {
    type: 'gauge',
    name: 'db_client_connection_pending_requests',
    help: 'Queries that wait for a connection of the database pool.',
    labels: ['db_client_connection_pool_name'],
  },
  redisConnected: {
    type: 'gauge',
    name: 'parley_redis_connected',
    help: '1 if the connection to Redis is usable, otherwise 0; absent without REDIS_URL.',
    labels: [],
  },
  collectorUp: {
    type: 'gauge',
    name: 'parley_collector_up',
    help: '1 if the last query for a scrape succeeded, otherwise 0 and its metrics are absent.',
    labels: ['collector'],
  },
  buildInfo: {
    type: 'gauge',
    name: 'parley_build_info',
    help: 'Always 1; the labels identify the build.',
    labels: ['version', 'node_version'],
  },
} as const satisfies Record<string, MetricDefinition>;
