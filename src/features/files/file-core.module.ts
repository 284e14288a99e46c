import { Module } from '@nestjs/common';
import { ContentAdoptionRepository } from './content-adoption.repository.js';
import { ContentWriter } from './content-writer.js';
import { FileRepository } from './file.repository.js';
import { FileService } from './file.service.js';
import { FileTextCoreModule } from './text/file-text-core.module.js';
import { FileTextService } from './text/file-text.service.js';
import { TextPageRepository } from './text/text-page.repository.js';
import { ResultFileService } from './result-file.service.js';
import { UploadRepository } from './upload.repository.js';

/** Files and their texts without routes, for other features in the API and in the worker. */
@Module({
  imports: [FileTextCoreModule],
  providers: [
    ContentAdoptionRepository,
    ContentWriter,
    FileRepository,
    FileService,
    FileTextService,
    ResultFileService,
    TextPageRepository,
    UploadRepository,
  ],
  exports: [FileService, FileTextService, ResultFileService],
})
export class FileCoreModule {}
