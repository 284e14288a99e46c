export { type ByteRange, FileStorage, type StorageKey } from './file-storage.js';
export { MissingContentError, StorageUnavailableError } from './storage-errors.js';
export { StorageModule } from './storage.module.js';
