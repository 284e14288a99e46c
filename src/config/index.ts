export { AppConfig, loadConfig, type DeadlineConfig, type LlmConfig } from './app-config.js';
export { PACKAGE_ROOT, VERSION } from './package-root.js';
export { ConfigError, parseSettings } from './parse-settings.js';
export { SETTINGS } from './settings.js';
