export { toLoggedError } from './logged-error.js';
export { createLogger, requestLogging } from './logging.js';
