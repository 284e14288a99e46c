import { Module } from '@nestjs/common';
import { FileCoreModule } from './file-core.module.js';
import { FileDeletionHook } from './file-deletion-hook.js';
import { FilesController } from './files.controller.js';
import { FileTextController } from './text/file-text.controller.js';

/** Files, for the API. */
@Module({
  imports: [FileCoreModule],
  controllers: [FilesController, FileTextController],
  providers: [FileDeletionHook],
  exports: [FileCoreModule, FileDeletionHook],
})
export class FilesModule {}
