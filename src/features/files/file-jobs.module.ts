import { Module } from '@nestjs/common';
import { FileRepository } from './file.repository.js';
import { FileSweep } from './file-sweep.js';

/** What is done to files by itself, for whichever process runs jobs. */
@Module({ providers: [FileRepository, FileSweep], exports: [FileSweep] })
export class FileJobsModule {}
