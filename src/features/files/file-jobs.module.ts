import { Module } from '@nestjs/common';
import { FileRepository } from './file.repository.js';
import { FileSweep } from './file-sweep.js';

/** Background jobs of files, for the process that runs jobs. */
@Module({ providers: [FileRepository, FileSweep], exports: [FileSweep] })
export class FileJobsModule {}
