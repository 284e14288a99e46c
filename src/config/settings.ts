import type { ModelPrice } from '../common/price.js';
import {
  jsonSetting,
  milliseconds,
  oneOf,
  optionalOneOf,
  optionalText,
  optionalUrl,
  optionalWholeNumber,
  textSetting,
  wholeNumber,
  type Setting,
} from './setting.js';

import { DOCUMENT_SETTINGS } from './document-settings.js';
import { LIMIT_SETTINGS } from './limit-settings.js';
import { RETRIEVAL_SETTINGS } from './retrieval-settings.js';
import { WEBHOOK_SETTINGS } from './webhook-settings.js';
import { parseCorsOrigins, type CorsOrigins } from './cors-origins.js';
import { parseTrustProxy, type TrustProxy } from './trust-proxy.js';
import { parseModelPrices } from './model-price.js';
import { parseContextWindows } from './model-window.js';
import { parseModelAliases, parseLlmHosts, type LlmHost } from './llm-host.js';

function setting<Value>(of: Setting<Value>): Setting<Value> {
  return of;
}

/** Every environment variable that Parley reads. A check compares the README and `.env.example` with this table. */
export const SETTINGS = {
  NODE_ENV: oneOf({
    choices: ['development', 'production', 'test'],
    default: 'development',
    description:
      'Environment. In `production`, nothing is generated or guessed: secrets must be set, and `.env` is not read',
  }),
  HOST: textSetting({
    default: '127.0.0.1',
    description: 'Address that the API and the port of a worker listen on',
  }),
  PORT: wholeNumber({
    default: 3000,
    min: 0,
    max: 65535,
    description: 'Port that the API listens on; 0 picks a free port',
  }),
  DATA_DIR: textSetting({
    default: '.data',
    description: 'Folder for uploaded files, the embedded database and generated development secrets',
  }),
  DATABASE_URL: optionalUrl({
    schemes: ['postgresql', 'postgres'],
    description: 'URL of an external PostgreSQL 15 or newer; if unset, Parley runs its own in `DATA_DIR`',
  }),
  DATABASE_POOL_MAX: wholeNumber({
    default: 10,
    min: 1,
    max: 1000,
    description: 'Maximum database connections per process',
  }),
  REDIS_URL: optionalUrl({
    schemes: ['redis', 'rediss'],
    description:
      'URL of the Redis for the job queue; if unset, the queue is in PostgreSQL and exactly one process may run',
  }),
  REDIS_KEY_PREFIX: optionalText({
    secret: false,
    minLength: 1,
    description:
      'Prefix of every key and channel in Redis. Installations that share one Redis need different prefixes; all processes of one installation need the same prefix',
  }),
  WORKER: oneOf({
    choices: ['inline', 'separate'],
    default: 'inline',
    description:
      'Where jobs run: in the API process, or in separate processes (`npm run worker`; requires `REDIS_URL`)',
  }),
  WEB_CONCURRENCY: wholeNumber({
    default: 1,
    min: 1,
    max: 64,
    description:
      'Number of API processes that share `PORT` on this machine; more than one requires `REDIS_URL`',
  }),
  SHUTDOWN_DELAY_S: optionalWholeNumber({
    min: 0,
    max: 300,
    defaultLabel: '5 in production, otherwise 0',
    description:
      'Seconds after a signal to stop in which `/health/ready` fails and requests are still served, so that a proxy can stop sending them',
  }),
  JWT_SECRET: optionalText({
    secret: true,
    minLength: 32,
    description:
      'Secret that signs access tokens, at least 32 characters. Generated in `DATA_DIR` in development, required in production',
  }),
  JWT_SECRET_PREVIOUS: optionalText({
    secret: true,
    minLength: 32,
    description:
      'Previous `JWT_SECRET`: tokens signed with it are accepted until they expire; no new tokens are signed with it',
  }),
  ENCRYPTION_KEY: optionalText({
    secret: true,
    minLength: 32,
    description:
      'Secret that encrypts the provider keys of users and the secrets of webhooks, at least 32 characters. Generated in `DATA_DIR` in development, required in production. If it is lost, the stored keys and secrets are lost too',
  }),
  ENCRYPTION_KEY_PREVIOUS: optionalText({
    secret: true,
    minLength: 32,
    description:
      'Previous `ENCRYPTION_KEY`: keys and secrets encrypted with it can still be read, and are re-encrypted when they are read',
  }),
  AUTH_REGISTRATION: optionalOneOf({
    choices: ['open', 'closed'],
    defaultLabel: '`open` in development, `closed` in production',
    description: 'Whether anyone may register an account',
  }),
  OPENAI_API_KEY: optionalText({
    secret: true,
    description: 'API key of the `openai` provider; setting it or the URL enables the provider',
  }),
  OPENAI_BASE_URL: optionalUrl({
    schemes: ['http', 'https'],
    description: 'Base URL of the `openai` provider, including `/v1`; any host with an OpenAI-compatible API',
  }),
  ANTHROPIC_API_KEY: optionalText({
    secret: true,
    description: 'API key of the `anthropic` provider; setting it or the URL enables the provider',
  }),
  ANTHROPIC_BASE_URL: optionalUrl({
    schemes: ['http', 'https'],
    description: 'Base URL of the `anthropic` provider, without `/v1`',
  }),
  OLLAMA_BASE_URL: optionalUrl({
    schemes: ['http', 'https'],
    description:
      'Base URL of the `ollama` provider, without `/api`; in development, an Ollama at `http://127.0.0.1:11434` is detected automatically',
  }),
  LLM_HOSTS: jsonSetting<readonly LlmHost[]>({
    fallback: [],
    secret: true,
    parse: parseLlmHosts,
    accepts:
      'a JSON array of {"id","base_url","api_key"?,"models"?,"first_token_timeout_ms"?} with unique ids',
    description:
      'Additional OpenAI-compatible hosts (vLLM, llama.cpp, …), as JSON: `[{"id","base_url","api_key"?,"models"?,"first_token_timeout_ms"?}]`',
  }),
  MODEL_ALIASES: jsonSetting<Readonly<Record<string, readonly string[]>>>({
    fallback: {},
    secret: false,
    parse: parseModelAliases,
    accepts: 'a JSON object that maps names to arrays of models',
    description:
      'Aliases for chains of models, each used if the one before it fails, as JSON: `{"fast":["openai/…","anthropic/…"]}`',
  }),
  MODEL_PRICES: jsonSetting<Readonly<Record<string, ModelPrice>>>({
    fallback: {},
    secret: false,
    parse: parseModelPrices,
    accepts:
      'a JSON object that maps full model names to `input`, `output` and optionally `cached` and `cache_write`, in US dollars',
    description:
      'Prices in US dollars per million tokens, which override the built-in list, as JSON: `{"vllm/…":{"input":1,"output":2,"cached":0.1,"cache_write":1.25}}`; `ollama/*` matches all models of a provider',
  }),
  MODEL_CONTEXT_WINDOWS: jsonSetting<Readonly<Record<string, number>>>({
    formerly: 'MODEL_WINDOWS',
    fallback: {},
    secret: false,
    parse: parseContextWindows,
    accepts: 'a JSON object that maps full model names to a whole number of tokens from 256 to 100000000',
    description:
      'Context windows of models, in tokens of request and answer together, which override those of the host and the built-in list, as JSON: `{"vllm/…":32768}`; `ollama/*` matches all models of a provider. The former name `MODEL_WINDOWS` is still accepted',
  }),
  CACHE_TTL_S: wholeNumber({
    default: 3600,
    min: 1,
    max: 2_592_000,
    description:
      'How long the answer to a request with `cache: true` is cached for identical requests, in seconds',
  }),
  CACHE_MAX_MB: wholeNumber({
    default: 64,
    min: 1,
    max: 65_536,
    description: 'Maximum memory per process for cached answers, in megabytes',
  }),
  LLM_MAX_CONCURRENCY: wholeNumber({
    default: 64,
    min: 1,
    max: 100_000,
    description: 'Maximum concurrent calls per provider',
  }),
  LLM_MAX_QUEUE: wholeNumber({
    default: 256,
    min: 0,
    max: 1_000_000,
    description: 'Maximum queued calls per provider; further requests fail immediately with 503',
  }),
  LLM_MAX_RETRIES: wholeNumber({
    default: 2,
    min: 0,
    max: 10,
    description: 'Maximum retries per model after the first attempt',
  }),
  DEFAULT_MODEL: optionalText({
    description:
      'Model for requests that name none; if unset, the first model of the first configured provider',
  }),
  DEMO_TOKENS_PER_SECOND: wholeNumber({
    default: 25,
    min: 1,
    max: 100_000,
    description: 'Speed of the `demo` model, in tokens per second',
  }),
  LLM_CONNECT_TIMEOUT_MS: milliseconds(5000, 'Timeout for connecting to a provider, in milliseconds'),
  LLM_FIRST_TOKEN_TIMEOUT_MS: milliseconds(
    60_000,
    'Timeout for the first token of an answer, in milliseconds',
  ),
  LLM_IDLE_TIMEOUT_MS: milliseconds(30_000, 'Maximum time between two tokens, in milliseconds'),
  LLM_ANSWER_TIMEOUT_MS: milliseconds(120_000, 'Timeout for an answer that is not streamed, in milliseconds'),
  LLM_TOTAL_TIMEOUT_MS: milliseconds(600_000, 'Maximum total duration of an answer, in milliseconds'),
  ...DOCUMENT_SETTINGS,
  CONTEXT_MAX_TOKENS: wholeNumber({
    default: 32_000,
    min: 256,
    max: 10_000_000,
    description: 'Maximum tokens of history sent with a turn',
  }),
  CONTEXT_MAX_MESSAGES: wholeNumber({
    default: 200,
    min: 1,
    max: 10_000,
    description: 'Maximum messages of history sent with a turn',
  }),
  CONTEXT_FILES_MAX_MB: wholeNumber({
    default: 256,
    min: 1,
    max: 65_536,
    description:
      'Maximum total size of the files that the running turns of one process send to models, in megabytes; further turns wait up to 10 seconds',
  }),
  TITLE_MODEL: optionalText({
    description:
      'Model or alias that generates titles for new conversations; if unset, the title is the first words of the question',
  }),
  SUMMARY_MODEL: optionalText({
    description:
      'Model or alias that summarizes conversations with `compaction: "summary"`; if unset, `TITLE_MODEL`, otherwise the model that answered last',
  }),
  ...RETRIEVAL_SETTINGS,
  ...WEBHOOK_SETTINGS,
  ...LIMIT_SETTINGS,
  TRUST_PROXY: setting<TrustProxy>({
    description:
      'Which proxies’ `X-Forwarded-For` is trusted: `false` for none, the number of proxies in front of Parley, or their addresses and networks (`10.0.0.0/8,loopback`)',
    defaultLabel: 'false',
    accepts: 'false, a number of proxies from 1 to 32, or a comma-separated list of addresses and networks',
    secret: false,
    fallback: false,
    parse: parseTrustProxy,
  }),
  CORS_ORIGINS: setting<CorsOrigins | undefined>({
    description:
      'Origins whose pages may use the API from a browser, separated by commas (`https://app.example.com,http://localhost:5173`), or `*` for all',
    defaultLabel: 'none',
    accepts:
      '* or a comma-separated list of origins such as https://app.example.com, without a path, trailing slash or default port',
    secret: false,
    fallback: undefined,
    parse: parseCorsOrigins,
  }),
  METRICS_TOKEN: optionalText({
    secret: true,
    minLength: 32,
    description:
      'Token that `GET /metrics` requires (`Authorization: Bearer …`), at least 32 characters. If unset, the metrics are open in development, and answered with 404 in production',
  }),
  WORKER_PORT: wholeNumber({
    default: 3001,
    min: 0,
    max: 65535,
    description:
      'Port on which a worker process serves `/metrics` and `/health`; 0 picks a free port. Several workers on one machine need different ports',
  }),
  LOG_LEVEL: oneOf({
    choices: ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'],
    default: 'info',
    description: 'Minimum severity of the log lines that are written',
  }),
} satisfies Record<string, Setting<unknown>>;

/** The value of each variable. */
export type SettingValues = { readonly [Name in keyof typeof SETTINGS]: (typeof SETTINGS)[Name]['fallback'] };
