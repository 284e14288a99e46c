import { Module } from '@nestjs/common';
import { ContentSweepRepository } from './content-sweep.repository.js';
import { FileExpiryRepository } from './file-expiry.repository.js';
import { FileExpiry } from './file-expiry.js';
import { FileRepository } from './file.repository.js';
import { FileSweep } from './file-sweep.js';
import { FileTextJobsModule } from './text/file-text-jobs.module.js';
import { RemovedContentRepository } from './removed-content.repository.js';
import { RemovedContentSweep } from './removed-content-sweep.js';
import { RemovedFolderRepository } from './removed-folder.repository.js';
import { RemovedFolderSweep } from './removed-folder-sweep.js';
import { UploadRepository } from './upload.repository.js';

/** Background jobs of files, for the process that runs jobs. */
@Module({
  imports: [FileTextJobsModule],
  providers: [
    ContentSweepRepository,
    FileExpiry,
    FileExpiryRepository,
    FileRepository,
    FileSweep,
    RemovedContentRepository,
    RemovedContentSweep,
    RemovedFolderRepository,
    RemovedFolderSweep,
    UploadRepository,
  ],
  exports: [FileExpiry, FileSweep, RemovedContentSweep, RemovedFolderSweep],
})
export class FileJobsModule {}
