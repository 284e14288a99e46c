export { FileStorage, type StorageKey } from './file-storage.js';
export { StorageModule } from './storage.module.js';
