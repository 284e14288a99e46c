export { AppConfig, loadConfig, type DeadlineConfig, type LimitConfig } from './app-config.js';
export {
  accessTokensConfig,
  cacheConfig,
  configModule,
  contextConfig,
  encryptionConfig,
  filesConfig,
  limitsConfig,
  llmConfig,
  providersConfig,
  registrationConfig,
  tasksConfig,
} from './config-sections.js';
export type { CorsOrigins } from './cors-origins.js';
export { PACKAGE_ROOT, VERSION } from './package-root.js';
export { ConfigError, parseSettings } from './parse-settings.js';
export { SETTINGS } from './settings.js';
export type { TrustProxy } from './trust-proxy.js';
