export { EXTRACTION_FAILURE_MESSAGES } from './extraction/failure-messages.js';
export { FileCoreModule } from './file-core.module.js';
export { FileJobsModule } from './file-jobs.module.js';
export { FileDeletionHook } from './file-deletion-hook.js';
export { FileExpiry } from './file-expiry.js';
export { FileSweep } from './file-sweep.js';
export { RemovedContentSweep } from './removed-content-sweep.js';
export { RemovedFolderSweep } from './removed-folder-sweep.js';
export type { ExtractionFailure, ExtractionWarning } from './extraction/extracted-text.js';
export type { FileTextState, StoredFile } from './stored-file.js';
export {
  FileTextService,
  NoTextError,
  type OpenedText,
  TextNotReadyError,
} from './text/file-text.service.js';
export type { PagePart } from './text/text-page.repository.js';
export { parseWarnings } from './text/text-warnings.js';
export { DependentFileRepository, type OwnedFile } from './dependent-file.repository.js';
export { deleteFileRows, type FileKey } from './file.repository.js';
export { FileService, type NewFile } from './file.service.js';
export { FilesModule } from './files.module.js';
export { FILE_PURPOSES, RESULT_PURPOSES } from './file-purpose.js';
export { DeletedUploadError, type UploadIdempotency } from './upload.repository.js';
export { ResultFileService } from './result-file.service.js';
export { UPLOAD_SCHEMA } from './upload.openapi.js';
