export { toLoggedError } from './logged-error.js';
export { createLogger, nestLogging, requestLogging } from './logging.js';
export { currentRequestUsage, requestUsageOf, trackRequestUsage } from './request-usage.js';
export { StartLogger } from './start-logger.js';
