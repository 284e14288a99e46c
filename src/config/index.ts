export {
  AppConfig,
  loadConfig,
  type DeadlineConfig,
  type LimitConfig,
  type LlmConfig,
} from './app-config.js';
export type { CorsOrigins } from './cors-origins.js';
export { PACKAGE_ROOT, VERSION } from './package-root.js';
export { ConfigError, parseSettings } from './parse-settings.js';
export { SETTINGS } from './settings.js';
export type { TrustProxy } from './trust-proxy.js';
