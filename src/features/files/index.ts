export { FileJobsModule } from './file-jobs.module.js';
export { FileDeletionHook } from './file-deletion-hook.js';
export { FileSweep } from './file-sweep.js';
export type { StoredFile } from './file.repository.js';
export { FileService } from './file.service.js';
export { FilesModule } from './files.module.js';
