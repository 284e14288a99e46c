import { SETTINGS, type SettingValues } from './settings.js';
import type { Setting } from './setting.js';

/**
 * Thrown if the environment contains invalid values. The message names each variable and the values that it accepts.
 */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
}

/**
 * Parses the settings of an environment. An empty variable counts as not set. A setting that was renamed is also read
 * from its former name, until the next release.
 * @throws ConfigError that names all invalid variables
 */
export function parseSettings(environment: Readonly<Record<string, string | undefined>>): SettingValues {
  const problems = new Map<string, string>();
  const read = <Value>(name: string, setting: Setting<Value>): Value => {
    const names = setting.formerly === undefined ? [name] : [name, setting.formerly];
    const [given, other] = names.flatMap((key) => {
      const text = environment[key]?.trim() ?? '';
      return text === '' ? [] : [{ key, text }];
    });
    if (given === undefined) return setting.fallback;
    if (other !== undefined) {
      problems.set(name, `${other.key} is the former name of ${name}: set ${name} only.`);
      return setting.fallback;
    }
    const { key, text } = given;
    const value = setting.parse(text);
    if (value !== undefined) return value;
    problems.set(name, `${key} must be ${setting.accepts}${setting.secret ? '' : `; it is "${text}"`}.`);
    return setting.fallback;
  };
  const values: SettingValues = {
    NODE_ENV: read('NODE_ENV', SETTINGS.NODE_ENV),
    HOST: read('HOST', SETTINGS.HOST),
    PORT: read('PORT', SETTINGS.PORT),
    DATA_DIR: read('DATA_DIR', SETTINGS.DATA_DIR),
    DATABASE_URL: read('DATABASE_URL', SETTINGS.DATABASE_URL),
    DATABASE_POOL_MAX: read('DATABASE_POOL_MAX', SETTINGS.DATABASE_POOL_MAX),
    REDIS_URL: read('REDIS_URL', SETTINGS.REDIS_URL),
    REDIS_KEY_PREFIX: read('REDIS_KEY_PREFIX', SETTINGS.REDIS_KEY_PREFIX),
    WORKER: read('WORKER', SETTINGS.WORKER),
    WEB_CONCURRENCY: read('WEB_CONCURRENCY', SETTINGS.WEB_CONCURRENCY),
    SHUTDOWN_DELAY_S: read('SHUTDOWN_DELAY_S', SETTINGS.SHUTDOWN_DELAY_S),
    JWT_SECRET: read('JWT_SECRET', SETTINGS.JWT_SECRET),
    JWT_SECRET_PREVIOUS: read('JWT_SECRET_PREVIOUS', SETTINGS.JWT_SECRET_PREVIOUS),
    ENCRYPTION_KEY: read('ENCRYPTION_KEY', SETTINGS.ENCRYPTION_KEY),
    ENCRYPTION_KEY_PREVIOUS: read('ENCRYPTION_KEY_PREVIOUS', SETTINGS.ENCRYPTION_KEY_PREVIOUS),
    AUTH_REGISTRATION: read('AUTH_REGISTRATION', SETTINGS.AUTH_REGISTRATION),
    OPENAI_API_KEY: read('OPENAI_API_KEY', SETTINGS.OPENAI_API_KEY),
    OPENAI_BASE_URL: read('OPENAI_BASE_URL', SETTINGS.OPENAI_BASE_URL),
    ANTHROPIC_API_KEY: read('ANTHROPIC_API_KEY', SETTINGS.ANTHROPIC_API_KEY),
    ANTHROPIC_BASE_URL: read('ANTHROPIC_BASE_URL', SETTINGS.ANTHROPIC_BASE_URL),
    OLLAMA_BASE_URL: read('OLLAMA_BASE_URL', SETTINGS.OLLAMA_BASE_URL),
    LLM_HOSTS: read('LLM_HOSTS', SETTINGS.LLM_HOSTS),
    MODEL_ALIASES: read('MODEL_ALIASES', SETTINGS.MODEL_ALIASES),
    MODEL_PRICES: read('MODEL_PRICES', SETTINGS.MODEL_PRICES),
    MODEL_CONTEXT_WINDOWS: read('MODEL_CONTEXT_WINDOWS', SETTINGS.MODEL_CONTEXT_WINDOWS),
    CACHE_TTL_S: read('CACHE_TTL_S', SETTINGS.CACHE_TTL_S),
    CACHE_MAX_MB: read('CACHE_MAX_MB', SETTINGS.CACHE_MAX_MB),
    LLM_MAX_CONCURRENCY: read('LLM_MAX_CONCURRENCY', SETTINGS.LLM_MAX_CONCURRENCY),
    LLM_MAX_QUEUE: read('LLM_MAX_QUEUE', SETTINGS.LLM_MAX_QUEUE),
    LLM_MAX_RETRIES: read('LLM_MAX_RETRIES', SETTINGS.LLM_MAX_RETRIES),
    DEFAULT_MODEL: read('DEFAULT_MODEL', SETTINGS.DEFAULT_MODEL),
    DEMO_TOKENS_PER_SECOND: read('DEMO_TOKENS_PER_SECOND', SETTINGS.DEMO_TOKENS_PER_SECOND),
    LLM_CONNECT_TIMEOUT_MS: read('LLM_CONNECT_TIMEOUT_MS', SETTINGS.LLM_CONNECT_TIMEOUT_MS),
    LLM_FIRST_TOKEN_TIMEOUT_MS: read('LLM_FIRST_TOKEN_TIMEOUT_MS', SETTINGS.LLM_FIRST_TOKEN_TIMEOUT_MS),
    LLM_IDLE_TIMEOUT_MS: read('LLM_IDLE_TIMEOUT_MS', SETTINGS.LLM_IDLE_TIMEOUT_MS),
    LLM_ANSWER_TIMEOUT_MS: read('LLM_ANSWER_TIMEOUT_MS', SETTINGS.LLM_ANSWER_TIMEOUT_MS),
    MAX_UPLOAD_MB: read('MAX_UPLOAD_MB', SETTINGS.MAX_UPLOAD_MB),
    BATCH_MAX_INPUT_MB: read('BATCH_MAX_INPUT_MB', SETTINGS.BATCH_MAX_INPUT_MB),
    BATCH_CONCURRENCY: read('BATCH_CONCURRENCY', SETTINGS.BATCH_CONCURRENCY),
    QUOTA_STORAGE_MB: read('QUOTA_STORAGE_MB', SETTINGS.QUOTA_STORAGE_MB),
    S3_BUCKET: read('S3_BUCKET', SETTINGS.S3_BUCKET),
    S3_ENDPOINT: read('S3_ENDPOINT', SETTINGS.S3_ENDPOINT),
    S3_REGION: read('S3_REGION', SETTINGS.S3_REGION),
    UPLOAD_BUFFERS_MAX_MB: read('UPLOAD_BUFFERS_MAX_MB', SETTINGS.UPLOAD_BUFFERS_MAX_MB),
    EXTRACTION_PROCESSES: read('EXTRACTION_PROCESSES', SETTINGS.EXTRACTION_PROCESSES),
    EXTRACTION_TIMEOUT_S: read('EXTRACTION_TIMEOUT_S', SETTINGS.EXTRACTION_TIMEOUT_S),
    EXTRACTION_MEMORY_MB: read('EXTRACTION_MEMORY_MB', SETTINGS.EXTRACTION_MEMORY_MB),
    EXTRACTION_MAX_PAGES: read('EXTRACTION_MAX_PAGES', SETTINGS.EXTRACTION_MAX_PAGES),
    EXTRACTION_MAX_CHARACTERS: read('EXTRACTION_MAX_CHARACTERS', SETTINGS.EXTRACTION_MAX_CHARACTERS),
    EXTRACTION_MAX_ENTRIES: read('EXTRACTION_MAX_ENTRIES', SETTINGS.EXTRACTION_MAX_ENTRIES),
    EXTRACTION_MAX_INFLATED_MB: read('EXTRACTION_MAX_INFLATED_MB', SETTINGS.EXTRACTION_MAX_INFLATED_MB),
    LLM_TOTAL_TIMEOUT_MS: read('LLM_TOTAL_TIMEOUT_MS', SETTINGS.LLM_TOTAL_TIMEOUT_MS),
    CONTEXT_MAX_TOKENS: read('CONTEXT_MAX_TOKENS', SETTINGS.CONTEXT_MAX_TOKENS),
    CONTEXT_MAX_MESSAGES: read('CONTEXT_MAX_MESSAGES', SETTINGS.CONTEXT_MAX_MESSAGES),
    CONTEXT_FILES_MAX_MB: read('CONTEXT_FILES_MAX_MB', SETTINGS.CONTEXT_FILES_MAX_MB),
    TITLE_MODEL: read('TITLE_MODEL', SETTINGS.TITLE_MODEL),
    SUMMARY_MODEL: read('SUMMARY_MODEL', SETTINGS.SUMMARY_MODEL),
    RAG_EMBEDDING_MODEL: read('RAG_EMBEDDING_MODEL', SETTINGS.RAG_EMBEDDING_MODEL),
    RAG_VECTOR_WEIGHT: read('RAG_VECTOR_WEIGHT', SETTINGS.RAG_VECTOR_WEIGHT),
    RAG_MIN_COSINE: read('RAG_MIN_COSINE', SETTINGS.RAG_MIN_COSINE),
    WEBHOOK_ALLOWED_NETWORKS: read('WEBHOOK_ALLOWED_NETWORKS', SETTINGS.WEBHOOK_ALLOWED_NETWORKS),
    RAG_RERANK_TIMEOUT_MS: read('RAG_RERANK_TIMEOUT_MS', SETTINGS.RAG_RERANK_TIMEOUT_MS),
    RATE_LIMIT_IP_RPM: read('RATE_LIMIT_IP_RPM', SETTINGS.RATE_LIMIT_IP_RPM),
    RATE_LIMIT_RPM: read('RATE_LIMIT_RPM', SETTINGS.RATE_LIMIT_RPM),
    RATE_LIMIT_MODEL_RPM: read('RATE_LIMIT_MODEL_RPM', SETTINGS.RATE_LIMIT_MODEL_RPM),
    RATE_LIMIT_TPM: read('RATE_LIMIT_TPM', SETTINGS.RATE_LIMIT_TPM),
    RATE_LIMIT_CONCURRENCY: read('RATE_LIMIT_CONCURRENCY', SETTINGS.RATE_LIMIT_CONCURRENCY),
    QUOTA_TOKENS_DAY: read('QUOTA_TOKENS_DAY', SETTINGS.QUOTA_TOKENS_DAY),
    QUOTA_COST_MONTH_USD: read('QUOTA_COST_MONTH_USD', SETTINGS.QUOTA_COST_MONTH_USD),
    TRUST_PROXY: read('TRUST_PROXY', SETTINGS.TRUST_PROXY),
    CORS_ORIGINS: read('CORS_ORIGINS', SETTINGS.CORS_ORIGINS),
    METRICS_TOKEN: read('METRICS_TOKEN', SETTINGS.METRICS_TOKEN),
    WORKER_PORT: read('WORKER_PORT', SETTINGS.WORKER_PORT),
    LOG_LEVEL: read('LOG_LEVEL', SETTINGS.LOG_LEVEL),
  };
  for (const [name, problem] of contradictions(values)) {
    // An invalid variable counts as not set here; its own error is the one to report.
    if (!problems.has(name)) problems.set(name, problem);
  }
  if (problems.size > 0) throw new ConfigError([...problems.values()].join('\n'));
  return values;
}

/** Returns the variables whose values are valid but conflict with others: the variable to change, and the reason. */
function contradictions(values: SettingValues): [name: string, problem: string][] {
  const problems: [string, string][] = [];
  if (values.WORKER === 'separate' && values.REDIS_URL === undefined) {
    problems.push([
      'REDIS_URL',
      'WORKER=separate requires REDIS_URL: without Redis, exactly one process serves the API and runs the jobs.',
    ]);
  }
  for (const name of ['DATABASE_URL', 'REDIS_URL'] as const) {
    if (values.WEB_CONCURRENCY === 1 || values[name] !== undefined) continue;
    problems.push([
      name,
      `WEB_CONCURRENCY above 1 requires ${name}: several processes share PostgreSQL and Redis, not what one process runs.`,
    ]);
  }
  if (values.NODE_ENV === 'production') problems.push(...weakSecrets(values));
  return problems;
}

/** Returns the problems of the secrets that production requires or uses. */
function weakSecrets(values: SettingValues): [name: string, problem: string][] {
  const required = ['JWT_SECRET', 'ENCRYPTION_KEY'] as const;
  const missing = required.filter((name) => values[name] === undefined);
  const weak = [...required, 'METRICS_TOKEN' as const].filter((name) => isPlaceholder(values[name]));
  return [
    ...missing.map((name): [string, string] => [
      name,
      `${name} must be set in production, to at least 32 random characters.`,
    ]),
    ...weak.map((name): [string, string] => [
      name,
      `${name} is a placeholder; in production it must be at least 32 random characters.`,
    ]),
  ];
}

/** Detects the words that examples use, and texts with few different characters: they protect nothing. */
function isPlaceholder(secret: string | undefined): boolean {
  if (secret === undefined) return false;
  return (
    /change[-_ ]?me|placeholder|example|your[-_ ]?secret|secret[-_ ]?key/i.test(secret) ||
    new Set(secret).size < 8
  );
}
