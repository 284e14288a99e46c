import { Module } from '@nestjs/common';
import { FilePurge } from './file-purge.js';
import { FileRepository } from './file.repository.js';
import { FileService } from './file.service.js';
import { FilesController } from './files.controller.js';

/** Files, for the API. */
@Module({
  controllers: [FilesController],
  providers: [FilePurge, FileRepository, FileService],
  exports: [FilePurge, FileService],
})
export class FilesModule {}
