export {
  AppConfig,
  loadConfig,
  type DeadlineConfig,
  type ExtractionConfig,
  type LimitConfig,
  type RetrievalConfig,
  type S3Config,
} from './app-config.js';
export {
  accessTokensConfig,
  batchesConfig,
  cacheConfig,
  configModule,
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
} from './config-sections.js';
export type { CorsOrigins } from './cors-origins.js';
export type { Network } from './networks.js';
export { MIGRATIONS_DIRECTORY, PACKAGE_ROOT, VERSION } from './package-root.js';
export { ConfigError, parseSettings } from './parse-settings.js';
export { SETTINGS } from './settings.js';
export type { TrustProxy } from './trust-proxy.js';
