import type { ModelPrice } from '../common/price.js';
import {
  json,
  oneOf,
  optionalOneOf,
  optionalText,
  optionalUrl,
  optionalUsd,
  optionalWholeNumber,
  text,
  wholeNumber,
  type Setting,
} from './setting.js';

import { parseCorsOrigins, type CorsOrigins } from './cors-origins.js';
import { parseTrustProxy, type TrustProxy } from './trust-proxy.js';
import { parsePrices } from './model-price.js';
import { parseWindows } from './model-window.js';
import { parseAliases, parseHosts, type LlmHost } from './llm-host.js';

/** A timer of Node holds at most this many milliseconds. */
const MAX_TIMER_MS = 2_147_483_647;

function milliseconds(fallback: number, meaning: string): Setting<number> {
  return wholeNumber({ default: fallback, min: 1, max: MAX_TIMER_MS, meaning });
}

function setting<Value>(of: Setting<Value>): Setting<Value> {
  return of;
}

/** More than any limit needs; with it a limit is as good as off. */
const MAX_LIMIT = 1_000_000_000;

function limit(fallback: number, meaning: string): Setting<number> {
  return wholeNumber({ default: fallback, min: 1, max: MAX_LIMIT, meaning });
}

/** Every environment variable that Parley reads. The README and `.env.example` are checked against this table. */
export const SETTINGS = {
  NODE_ENV: oneOf({
    choices: ['development', 'production', 'test'],
    default: 'development',
    meaning: 'In `production` nothing is generated or guessed: secrets must be set, `.env` is not read',
  }),
  HOST: text({ default: '127.0.0.1', meaning: 'Address that the API listens on' }),
  PORT: wholeNumber({
    default: 3000,
    min: 0,
    max: 65535,
    meaning: 'Port that the API listens on; 0 takes a free one',
  }),
  DATA_DIR: text({
    default: '.data',
    meaning: 'Folder of uploaded files, of the embedded database and of generated development secrets',
  }),
  DATABASE_URL: optionalUrl({
    schemes: ['postgresql', 'postgres'],
    meaning: 'External PostgreSQL 15 or newer; without it Parley runs its own in `DATA_DIR`',
  }),
  DATABASE_POOL_MAX: wholeNumber({
    default: 10,
    min: 1,
    max: 1000,
    meaning: 'Most database connections of one process',
  }),
  REDIS_URL: optionalUrl({
    schemes: ['redis', 'rediss'],
    meaning: 'Redis for the job queue; without it the queue is in PostgreSQL and exactly one process may run',
  }),
  REDIS_KEY_PREFIX: optionalText({
    secret: false,
    minLength: 1,
    meaning:
      'Begins the name of every key and channel in Redis. Installations that share one Redis need different ones; the processes of one installation need the same',
  }),
  WORKER: oneOf({
    choices: ['inline', 'separate'],
    default: 'inline',
    meaning:
      'Where jobs run: in the API process, or in processes of their own (`npm run worker`; needs `REDIS_URL`)',
  }),
  JWT_SECRET: optionalText({
    secret: true,
    minLength: 32,
    meaning:
      'Signs access tokens; at least 32 characters. Generated into `DATA_DIR` in development, required in production',
  }),
  JWT_SECRET_PREVIOUS: optionalText({
    secret: true,
    minLength: 32,
    meaning:
      'The `JWT_SECRET` before the current one: tokens that it signed are taken until they expire, none is signed with it',
  }),
  ENCRYPTION_KEY: optionalText({
    secret: true,
    minLength: 32,
    meaning:
      'Encrypts the provider keys of users; at least 32 characters. Generated into `DATA_DIR` in development, required in production. Lost with it are the stored keys',
  }),
  ENCRYPTION_KEY_PREVIOUS: optionalText({
    secret: true,
    minLength: 32,
    meaning:
      'The `ENCRYPTION_KEY` before the current one: what it encrypted can be read, and is encrypted anew when it is',
  }),
  AUTH_REGISTRATION: optionalOneOf({
    choices: ['open', 'closed'],
    shownDefault: '`open` in development, `closed` in production',
    meaning: 'Whether anybody may register an account',
  }),
  OPENAI_API_KEY: optionalText({
    secret: true,
    meaning: 'Key of the `openai` provider; setting it or the URL switches the provider on',
  }),
  OPENAI_BASE_URL: optionalUrl({
    schemes: ['http', 'https'],
    meaning: 'Base URL of the `openai` provider, up to and with `/v1`; any host that speaks its wire',
  }),
  ANTHROPIC_API_KEY: optionalText({
    secret: true,
    meaning: 'Key of the `anthropic` provider; setting it or the URL switches the provider on',
  }),
  ANTHROPIC_BASE_URL: optionalUrl({
    schemes: ['http', 'https'],
    meaning: 'Base URL of the `anthropic` provider, without `/v1`',
  }),
  OLLAMA_BASE_URL: optionalUrl({
    schemes: ['http', 'https'],
    meaning:
      'Base URL of the `ollama` provider, without `/api`; in development an Ollama at `http://127.0.0.1:11434` is found by itself',
  }),
  LLM_HOSTS: json<readonly LlmHost[]>({
    fallback: [],
    secret: true,
    parse: parseHosts,
    takes:
      'a JSON array of {"id","base_url","api_key"?,"models"?,"first_token_timeout_ms"?} with ids of their own',
    meaning:
      'More hosts that speak OpenAI’s wire (vLLM, llama.cpp, …), as JSON: `[{"id","base_url","api_key"?,"models"?,"first_token_timeout_ms"?}]`',
  }),
  MODEL_ALIASES: json<Readonly<Record<string, readonly string[]>>>({
    fallback: {},
    secret: false,
    parse: parseAliases,
    takes: 'a JSON object of names, each with an array of models',
    meaning:
      'Names that stand for a chain of models, each asked when the one before it fails, as JSON: `{"fast":["openai/…","anthropic/…"]}`',
  }),
  MODEL_PRICES: json<Readonly<Record<string, ModelPrice>>>({
    fallback: {},
    secret: false,
    parse: parsePrices,
    takes:
      'a JSON object of full model names, each with `input` and `output` and perhaps `cached` and `cache_write`, in US dollars',
    meaning:
      'Prices in US dollars per million tokens that go before the built-in list, as JSON: `{"vllm/…":{"input":1,"output":2,"cached":0.1,"cache_write":1.25}}`; `ollama/*` means all of a provider',
  }),
  MODEL_WINDOWS: json<Readonly<Record<string, number>>>({
    fallback: {},
    secret: false,
    parse: parseWindows,
    takes: 'a JSON object of full model names, each with a whole number of tokens from 256 to 100000000',
    meaning:
      'Tokens that models take, request and answer together, where neither their host nor the built-in list is right, as JSON: `{"vllm/…":32768}`; `ollama/*` means all of a provider',
  }),
  CACHE_TTL_S: wholeNumber({
    default: 3600,
    min: 1,
    max: 2_592_000,
    meaning:
      'How long an answer that was asked for with `cache: true` is kept for the same request, in seconds',
  }),
  CACHE_MAX_MB: wholeNumber({
    default: 64,
    min: 1,
    max: 65_536,
    meaning: 'Most memory of one process for cached answers, in megabytes',
  }),
  LLM_MAX_CONCURRENCY: wholeNumber({
    default: 64,
    min: 1,
    max: 100_000,
    meaning: 'Most calls of one provider at once',
  }),
  LLM_MAX_QUEUE: wholeNumber({
    default: 256,
    min: 0,
    max: 1_000_000,
    meaning: 'Most calls that wait for a place at one provider; beyond it requests answer 503 at once',
  }),
  LLM_MAX_RETRIES: wholeNumber({
    default: 2,
    min: 0,
    max: 10,
    meaning: 'Tries at one model beyond the first',
  }),
  DEFAULT_MODEL: optionalText({
    meaning: 'Model of requests that name none; without it the first model of the first configured provider',
  }),
  DEMO_TOKENS_PER_SECOND: wholeNumber({
    default: 25,
    min: 1,
    max: 100_000,
    meaning: 'Pace of the `demo` model',
  }),
  LLM_CONNECT_TIMEOUT_MS: milliseconds(5000, 'Longest wait for a connection to a provider'),
  LLM_FIRST_TOKEN_TIMEOUT_MS: milliseconds(60_000, 'Longest wait for the first token of an answer'),
  LLM_IDLE_TIMEOUT_MS: milliseconds(30_000, 'Longest gap between two tokens'),
  LLM_ANSWER_TIMEOUT_MS: milliseconds(120_000, 'Longest wait for an answer that is not streamed'),
  LLM_TOTAL_TIMEOUT_MS: milliseconds(600_000, 'Longest duration of one answer'),
  MAX_UPLOAD_MB: wholeNumber({
    default: 32,
    min: 1,
    max: 1024,
    meaning:
      'Largest file that is uploaded, and largest body of the compatible routes and of an import, in megabytes',
  }),
  CONTEXT_MAX_TOKENS: wholeNumber({
    default: 32_000,
    min: 256,
    max: 10_000_000,
    meaning: 'Most tokens of history sent with a turn',
  }),
  CONTEXT_MAX_MESSAGES: wholeNumber({
    default: 200,
    min: 1,
    max: 10_000,
    meaning: 'Most messages of history sent with a turn',
  }),
  CONTEXT_FILES_MAX_MB: wholeNumber({
    default: 256,
    min: 1,
    max: 65_536,
    meaning:
      'Maximum size of the files that all running turns of one process send to models, in megabytes; further turns wait up to 10 seconds',
  }),
  TITLE_MODEL: optionalText({
    meaning:
      'Model or alias that finds titles for new conversations; without it a title is the first words of the question',
  }),
  SUMMARY_MODEL: optionalText({
    meaning:
      'Model or alias that sums up conversations with `compaction: "summary"`; without it `TITLE_MODEL`, else the model that answered last',
  }),
  RATE_LIMIT_IP_RPM: limit(120, 'Requests a minute of one address that come without valid credentials'),
  RATE_LIMIT_RPM: limit(300, 'Requests a minute of one user, and of one key'),
  RATE_LIMIT_MODEL_RPM: limit(60, 'Those of them that ask a model'),
  RATE_LIMIT_TPM: limit(
    200_000,
    'Tokens a minute of one user, and of one key, requests and answers together',
  ),
  RATE_LIMIT_CONCURRENCY: limit(8, 'Answers that are generated at once for one user, and for one key'),
  QUOTA_TOKENS_DAY: optionalWholeNumber({
    min: 1,
    max: Number.MAX_SAFE_INTEGER,
    meaning: 'Tokens a day (UTC) of one user',
  }),
  QUOTA_COST_MONTH_USD: optionalUsd({
    max: 1_000_000_000,
    meaning: 'US dollars a month (UTC) that the models may cost for one user',
  }),
  TRUST_PROXY: setting<TrustProxy>({
    meaning:
      'Whose `X-Forwarded-For` counts: `false` for nobody’s, a number of proxies in front of Parley, or their addresses and networks (`10.0.0.0/8,loopback`)',
    shownDefault: 'false',
    takes: 'false, a number of proxies from 1 to 32, or addresses and networks with commas between them',
    secret: false,
    fallback: false,
    parse: parseTrustProxy,
  }),
  CORS_ORIGINS: setting<CorsOrigins | undefined>({
    meaning:
      'Origins whose pages may use the API from a browser (`https://app.example.com,http://localhost:5173`), or `*` for all',
    shownDefault: 'none',
    takes:
      '* or origins like https://app.example.com, without a path, a slash at the end or a default port, with commas between them',
    secret: false,
    fallback: undefined,
    parse: parseCorsOrigins,
  }),
  LOG_LEVEL: oneOf({
    choices: ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'],
    default: 'info',
    meaning: 'Least severe log lines that are written',
  }),
} satisfies Record<string, Setting<unknown>>;

/** The value of each variable. */
export type SettingValues = { readonly [Name in keyof typeof SETTINGS]: (typeof SETTINGS)[Name]['fallback'] };
