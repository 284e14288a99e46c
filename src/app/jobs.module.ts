import { Module } from '@nestjs/common';
import { AuditJobsModule } from '../features/audit/index.js';
import { ChatWorkerModule } from '../features/chat/index.js';
import { FileJobsModule } from '../features/files/index.js';

/** All modules with jobs, for the process that runs them. */
@Module({ imports: [AuditJobsModule, ChatWorkerModule, FileJobsModule] })
export class JobsModule {}
