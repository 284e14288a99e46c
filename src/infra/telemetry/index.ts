export { toLoggedError } from './logged-error.js';
export { createLogger, nestLogging, requestLogging } from './logging.js';
export { StartLogger } from './start-logger.js';
