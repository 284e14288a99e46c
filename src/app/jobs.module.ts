import { Module } from '@nestjs/common';
import { AuditJobsModule, AuditRetention } from '../features/audit/index.js';
import { ChatWorkerModule } from '../features/chat/index.js';
import { FileJobsModule, FileSweep } from '../features/files/index.js';
import { ScheduledTasksModule } from '../infra/queue/index.js';

/** All modules with jobs, for the process that runs them. */
@Module({
  imports: [
    ChatWorkerModule,
    ScheduledTasksModule.forRoot({
      imports: [AuditJobsModule, FileJobsModule],
      tasks: [AuditRetention, FileSweep],
    }),
  ],
})
export class JobsModule {}
