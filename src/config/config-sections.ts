import type { DynamicModule } from '@nestjs/common';
import { ConfigModule, type ConfigObject, getConfigToken, registerAs } from '@nestjs/config';
import type { AppConfig } from './app-config.js';

/** Namespace of the configuration. Returns its part of the whole configuration. */
export interface ConfigSection<Value extends ConfigObject> {
  (config: AppConfig): Value;
  /** Token to inject the section by. */
  readonly KEY: string;
  /** Name of the section in `@nestjs/config`. */
  readonly namespace: string;
}

/*
 * A section has only what its consumers need. Secrets have sections of their own, so that the constructor of a class
 * shows if it receives them: `accessTokens`, `encryption`, `providers`.
 */

/** Secrets that access tokens are signed and verified with. */
export const accessTokensConfig = section('accessTokens', ({ auth: { jwtSecret, previousJwtSecret } }) => ({
  jwtSecret,
  /** Verifies only. */
  previousJwtSecret,
}));

/** Running of batches. */
export const batchesConfig = section('batches', ({ batches, limits }) => ({
  concurrency: batches.concurrency,
  /** Maximum number of answers that an account generates at once. */
  accountConcurrency: limits.concurrency,
}));

/** Lifetime of cached answers. */
export const cacheConfig = section('cache', ({ cache: { ttlMs } }) => ({ ttlMs }));

/** Limits of the history and the files that are sent to a model. */
export const contextConfig = section('context', ({ context }) => context);

/** Keys that the provider keys of users and the secrets of webhooks are encrypted with. */
export const encryptionConfig = section('encryption', ({ encryption }) => encryption);

/** Limits of text extraction. */
export const extractionConfig = section('extraction', ({ files: { extraction } }) => extraction);

/** Limits of uploads. */
export const filesConfig = section('files', ({ http: { maxUploadMb }, files }) => ({
  maxUploadMb,
  maxBatchInputMb: files.maxBatchInputMb,
  /** Maximum bytes of stored content per account; undefined if unlimited. */
  quotaBytes: files.quotaBytes,
}));

/** Limits and quotas of addresses, accounts and API keys. */
export const limitsConfig = section('limits', ({ limits }) => limits);

/** Models, and how they are called. */
export const llmConfig = section('llm', ({ llm }) => ({
  defaultModel: llm.defaultModel,
  aliases: llm.aliases,
  prices: llm.prices,
  windows: llm.windows,
  deadlines: llm.deadlines,
  /** Maximum wait for the first token of hosts with a timeout of their own, in milliseconds. */
  hostFirstTokenMs: new Map(llm.hosts.map(({ id, firstTokenMs }) => [id, firstTokenMs])),
  maxRetries: llm.maxRetries,
  maxConcurrency: llm.maxConcurrency,
  maxQueue: llm.maxQueue,
}));

/** Access to the metrics. */
export const metricsConfig = section('metrics', ({ metrics }) => metrics);

/** Addresses and keys of the model providers. */
export const providersConfig = section('providers', ({ llm }) => ({
  openai: llm.openai,
  anthropic: llm.anthropic,
  ollama: llm.ollama,
  hosts: llm.hosts,
  demoTokensPerSecond: llm.demoTokensPerSecond,
  connectTimeoutMs: llm.deadlines.connectMs,
}));

/** Retrieval over documents. */
export const ragConfig = section('rag', ({ rag }) => rag);

/** Rules for new accounts. */
export const registrationConfig = section('registration', ({ auth: { registration }, production }) => ({
  registration,
  /** True if the first account to register becomes an admin. */
  firstIsAdmin: !production,
}));

/** Models of titles and summaries. */
export const tasksConfig = section('tasks', ({ tasks }) => tasks);

/** Addresses that webhooks may have. */
export const webhooksConfig = section('webhooks', ({ webhooks }) => webhooks);

const SECTIONS: readonly ConfigSection<ConfigObject>[] = [
  accessTokensConfig,
  batchesConfig,
  cacheConfig,
  contextConfig,
  encryptionConfig,
  extractionConfig,
  filesConfig,
  limitsConfig,
  llmConfig,
  metricsConfig,
  providersConfig,
  ragConfig,
  registrationConfig,
  tasksConfig,
  webhooksConfig,
];

/**
 * Provides the sections of a configuration that is already parsed. The module is kept from the environment: it neither
 * reads `process.env` nor a `.env` file, and without `validate` it writes nothing into `process.env`.
 */
export function configModule(config: AppConfig): Promise<DynamicModule> {
  return ConfigModule.forRoot({
    isGlobal: true,
    ignoreEnvFile: true,
    validatePredefined: false,
    skipProcessEnv: true,
    load: SECTIONS.map((select) => registerAs(select.namespace, () => select(config))),
  });
}

function section<Value extends ConfigObject>(
  namespace: string,
  select: (config: AppConfig) => Value,
): ConfigSection<Value> {
  return Object.assign(select, { KEY: getConfigToken(namespace), namespace });
}
