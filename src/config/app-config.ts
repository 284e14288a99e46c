import { existsSync, readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join, resolve } from 'node:path';
import { parseEnv } from 'node:util';
import { VERSION } from './package-root.js';
import { ConfigError, parseSettings } from './parse-settings.js';
import { readOrCreateSecret } from './secrets.js';
import type { ModelPrice } from '../common/price.js';
import type { CorsOrigins } from './cors-origins.js';
import type { LlmHost } from './llm-host.js';
import type { Network } from './networks.js';
import type { SettingValues } from './settings.js';
import type { TrustProxy } from './trust-proxy.js';

const MICRO_PER_USD = 1_000_000;

/** Bucket of an S3-compatible store. */
export interface S3Config {
  readonly bucket: string;
  /** Undefined for the store of AWS. */
  readonly endpoint: string | undefined;
  readonly region: string;
  /** Maximum memory of this process for parts of uploads. */
  readonly uploadBufferBytes: number;
}

/** Limits of text extraction. */
export interface ExtractionConfig {
  /** Maximum number of documents parsed at once, each in a process of its own. */
  readonly processes: number;
  readonly timeoutMs: number;
  /** Maximum growth of the memory of a parsing process. */
  readonly memoryBytes: number;
  readonly maxPages: number;
  /** Maximum length of the text, in UTF-16 units. */
  readonly maxCharacters: number;
  /** Maximum number of entries of an archive. */
  readonly maxEntries: number;
  /** Maximum total size of the inflated entries of an archive. */
  readonly maxInflatedBytes: number;
}

/** Configuration of the process, parsed once before anything else. Classes inject the section that they need. */
export class AppConfig {
  readonly version = VERSION;
  readonly production: boolean;
  /** Absolute path. */
  readonly dataDir: string;
  readonly http: {
    readonly host: string;
    readonly port: number;
    readonly maxUploadMb: number;
    readonly trustProxy: TrustProxy;
    /** Undefined if no origin is allowed. */
    readonly corsOrigins: CorsOrigins | undefined;
    /** Time in which requests are still served after a signal to stop, in milliseconds. */
    readonly shutdownDelayMs: number;
  };
  /** Number of API processes. */
  readonly webConcurrency: number;
  readonly limits: LimitConfig;
  readonly files: {
    /** Maximum size of a file with purpose `batch`. */
    readonly maxBatchInputMb: number;
    /** Maximum bytes of stored content per account; undefined if unlimited. */
    readonly quotaBytes: number | undefined;
    /** Store of file contents; undefined for a folder of `dataDir`. */
    readonly s3: S3Config | undefined;
    readonly extraction: ExtractionConfig;
  };
  readonly batches: {
    /** Maximum number of requests of batches that a process sends at once. */
    readonly concurrency: number;
  };
  readonly database: { readonly url: string | undefined; readonly poolMax: number };
  readonly redisUrl: string | undefined;
  readonly redisKeyPrefix: string;
  readonly worker: 'inline' | 'separate';
  /** Port of a worker process. */
  readonly workerPort: number;
  readonly metrics: {
    readonly token: string | undefined;
    /** True if the metrics are served without a token, unless one is set. */
    readonly isOpen: boolean;
  };
  readonly auth: {
    readonly jwtSecret: string;
    /** Only verifies tokens. */
    readonly previousJwtSecret: string | undefined;
    readonly registration: 'open' | 'closed';
  };
  /** Secret that encrypts provider keys and webhook secrets; the previous one only decrypts. */
  readonly encryption: { readonly key: string; readonly previousKey: string | undefined };
  readonly llm: LlmConfig;
  readonly cache: { readonly ttlMs: number; readonly maxBytes: number };
  readonly context: {
    readonly maxTokens: number;
    readonly maxMessages: number;
    /** Maximum bytes of files in all running turns of the process together. */
    readonly maxFileBytes: number;
  };
  /**
   * Models of the background tasks. Without `titleModel`, no model generates titles; without `summaryModel`, the
   * model that answered last summarizes.
   */
  readonly tasks: { readonly titleModel: string | undefined; readonly summaryModel: string | undefined };
  readonly rag: RetrievalConfig;
  /** `allowedNetworks`: webhooks may have their addresses although they are not public. */
  readonly webhooks: { readonly allowedNetworks: readonly Network[] };
  readonly logLevel: SettingValues['LOG_LEVEL'];

  constructor(values: SettingValues) {
    this.production = values.NODE_ENV === 'production';
    this.dataDir = resolve(values.DATA_DIR);
    this.http = {
      host: values.HOST,
      port: values.PORT,
      maxUploadMb: values.MAX_UPLOAD_MB,
      trustProxy: values.TRUST_PROXY,
      corsOrigins: values.CORS_ORIGINS,
      shutdownDelayMs: 1000 * (values.SHUTDOWN_DELAY_S ?? (this.production ? 5 : 0)),
    };
    this.webConcurrency = values.WEB_CONCURRENCY;
    this.limits = {
      addressRequestsPerMinute: values.RATE_LIMIT_IP_RPM,
      requestsPerMinute: values.RATE_LIMIT_RPM,
      modelRequestsPerMinute: values.RATE_LIMIT_MODEL_RPM,
      tokensPerMinute: values.RATE_LIMIT_TPM,
      concurrency: values.RATE_LIMIT_CONCURRENCY,
      tokensDay: values.QUOTA_TOKENS_DAY,
      costMonthMicroUsd:
        values.QUOTA_COST_MONTH_USD === undefined
          ? undefined
          : Math.round(values.QUOTA_COST_MONTH_USD * MICRO_PER_USD),
    };
    this.batches = { concurrency: values.BATCH_CONCURRENCY };
    this.files = {
      maxBatchInputMb: values.BATCH_MAX_INPUT_MB,
      quotaBytes: values.QUOTA_STORAGE_MB === undefined ? undefined : values.QUOTA_STORAGE_MB * 2 ** 20,
      s3:
        values.S3_BUCKET === undefined
          ? undefined
          : {
              bucket: values.S3_BUCKET,
              endpoint: values.S3_ENDPOINT,
              region: values.S3_REGION,
              uploadBufferBytes: values.UPLOAD_BUFFERS_MAX_MB * 2 ** 20,
            },
      extraction: {
        processes: values.EXTRACTION_PROCESSES ?? Math.max(1, availableParallelism() - 1),
        timeoutMs: values.EXTRACTION_TIMEOUT_S * 1000,
        memoryBytes: values.EXTRACTION_MEMORY_MB * 2 ** 20,
        maxPages: values.EXTRACTION_MAX_PAGES,
        maxCharacters: values.EXTRACTION_MAX_CHARACTERS,
        maxEntries: values.EXTRACTION_MAX_ENTRIES,
        maxInflatedBytes: values.EXTRACTION_MAX_INFLATED_MB * 2 ** 20,
      },
    };
    this.database = { url: values.DATABASE_URL, poolMax: values.DATABASE_POOL_MAX };
    this.redisUrl = values.REDIS_URL;
    this.redisKeyPrefix = values.REDIS_KEY_PREFIX ?? '';
    this.worker = values.WORKER;
    this.workerPort = values.WORKER_PORT;
    this.metrics = { token: values.METRICS_TOKEN, isOpen: !this.production };
    this.auth = {
      jwtSecret: values.JWT_SECRET ?? generatedSecret(this.dataDir, 'jwt'),
      previousJwtSecret: values.JWT_SECRET_PREVIOUS,
      registration: values.AUTH_REGISTRATION ?? (this.production ? 'closed' : 'open'),
    };
    this.encryption = {
      key: values.ENCRYPTION_KEY ?? generatedSecret(this.dataDir, 'encryption'),
      previousKey: values.ENCRYPTION_KEY_PREVIOUS,
    };
    this.llm = {
      openai: { apiKey: values.OPENAI_API_KEY, baseUrl: values.OPENAI_BASE_URL },
      anthropic: { apiKey: values.ANTHROPIC_API_KEY, baseUrl: values.ANTHROPIC_BASE_URL },
      ollama: { baseUrl: values.OLLAMA_BASE_URL, probe: values.NODE_ENV === 'development' },
      defaultModel: values.DEFAULT_MODEL,
      maxRetries: values.LLM_MAX_RETRIES,
      maxConcurrency: values.LLM_MAX_CONCURRENCY,
      maxQueue: values.LLM_MAX_QUEUE,
      aliases: values.MODEL_ALIASES,
      prices: values.MODEL_PRICES,
      windows: values.MODEL_CONTEXT_WINDOWS,
      hosts: values.LLM_HOSTS,
      demoTokensPerSecond: values.DEMO_TOKENS_PER_SECOND,
      deadlines: {
        connectMs: values.LLM_CONNECT_TIMEOUT_MS,
        firstTokenMs: values.LLM_FIRST_TOKEN_TIMEOUT_MS,
        idleMs: values.LLM_IDLE_TIMEOUT_MS,
        totalMs: values.LLM_TOTAL_TIMEOUT_MS,
        answerMs: values.LLM_ANSWER_TIMEOUT_MS,
      },
    };
    this.cache = { ttlMs: values.CACHE_TTL_S * 1000, maxBytes: values.CACHE_MAX_MB * 2 ** 20 };
    this.context = {
      maxTokens: values.CONTEXT_MAX_TOKENS,
      maxMessages: values.CONTEXT_MAX_MESSAGES,
      maxFileBytes: values.CONTEXT_FILES_MAX_MB * 2 ** 20,
    };
    this.tasks = {
      titleModel: values.TITLE_MODEL,
      summaryModel: values.SUMMARY_MODEL ?? values.TITLE_MODEL,
    };
    this.rag = {
      embeddingModel: values.RAG_EMBEDDING_MODEL,
      vectorWeight: values.RAG_VECTOR_WEIGHT,
      minCosine: values.RAG_MIN_COSINE,
      rerankTimeoutMs: values.RAG_RERANK_TIMEOUT_MS,
    };
    this.webhooks = { allowedNetworks: values.WEBHOOK_ALLOWED_NETWORKS };
    this.logLevel = values.LOG_LEVEL;
  }
}

/** @throws ConfigError if `DATA_DIR` cannot store the secret */
function generatedSecret(dataDir: string, name: string): string {
  try {
    return readOrCreateSecret(dataDir, name);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new ConfigError(
      `DATA_DIR must be a folder that this process can write to; "${dataDir}" is not (${reason}).`,
    );
  }
}

/** Limits of one address, and of one user or API key. */
export interface LimitConfig {
  readonly addressRequestsPerMinute: number;
  readonly requestsPerMinute: number;
  readonly modelRequestsPerMinute: number;
  readonly tokensPerMinute: number;
  /** Maximum number of answers generated at once. */
  readonly concurrency: number;
  /** Undefined for no limit. */
  readonly tokensDay: number | undefined;
  readonly costMonthMicroUsd: number | undefined;
}

/** Retrieval over documents. */
export interface RetrievalConfig {
  /** Embedding model of new collections; undefined for lexical search only. */
  readonly embeddingModel: string | undefined;
  /** Share of the vectors in the score of a hybrid search, from 0 to 1. */
  readonly vectorWeight: number;
  /** Minimum cosine of a relevant passage without a matching word; undefined for that of the embedding model. */
  readonly minCosine: number | undefined;
  /** Timeout for the model that orders passages, in milliseconds. */
  readonly rerankTimeoutMs: number;
}

export interface LlmConfig {
  readonly openai: { readonly apiKey: string | undefined; readonly baseUrl: string | undefined };
  readonly anthropic: { readonly apiKey: string | undefined; readonly baseUrl: string | undefined };
  /** `probe`: true to detect a local server if no URL is set. */
  readonly ollama: { readonly baseUrl: string | undefined; readonly probe: boolean };
  readonly defaultModel: string | undefined;
  readonly demoTokensPerSecond: number;
  readonly deadlines: DeadlineConfig;
  /** Maximum retries at one model after the first attempt. */
  readonly maxRetries: number;
  /** Maximum concurrent calls of one provider, and maximum queued calls. */
  readonly maxConcurrency: number;
  readonly maxQueue: number;
  /** Aliases for chains of models. */
  readonly aliases: Readonly<Record<string, readonly string[]>>;
  /** Prices that override the built-in list, by full name or `provider/*`. */
  readonly prices: Readonly<Record<string, ModelPrice>>;
  /**
   * Context windows of models in tokens, by full name or `provider/*`; they override those that the providers report.
   */
  readonly windows: Readonly<Record<string, number>>;
  /**
   * Additional hosts with an OpenAI-compatible API, in the order in which they are searched for a bare model name.
   */
  readonly hosts: readonly LlmHost[];
}

/** Timeouts of a model call, in milliseconds. */
export interface DeadlineConfig {
  readonly connectMs: number;
  readonly firstTokenMs: number;
  readonly idleMs: number;
  readonly totalMs: number;
  /** Timeout of an answer that is not streamed. */
  readonly answerMs: number;
}

/**
 * Loads the configuration of this process from its environment. In development, also reads `.env` of the working
 * folder; the environment takes precedence.
 * @throws ConfigError if a value is invalid
 */
export function loadConfig(): AppConfig {
  const file = join(process.cwd(), '.env');
  const fromFile =
    process.env['NODE_ENV'] !== 'production' && existsSync(file) ? parseEnv(readFileSync(file, 'utf8')) : {};
  return new AppConfig(parseSettings({ ...fromFile, ...process.env }));
}
