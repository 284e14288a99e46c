export { FileJobsModule } from './file-jobs.module.js';
export { FilePurge } from './file-purge.js';
export type { StoredFile } from './file.repository.js';
export { FileService } from './file.service.js';
export { FilesModule } from './files.module.js';
