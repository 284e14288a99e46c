import { Module } from '@nestjs/common';
import { FileDeletionHook } from './file-deletion-hook.js';
import { FileRepository } from './file.repository.js';
import { FileService } from './file.service.js';
import { FilesController } from './files.controller.js';

/** Files, for the API. */
@Module({
  controllers: [FilesController],
  providers: [FileDeletionHook, FileRepository, FileService],
  exports: [FileDeletionHook, FileService],
})
export class FilesModule {}
