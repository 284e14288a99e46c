export { SharedCache } from './shared-cache.js';
