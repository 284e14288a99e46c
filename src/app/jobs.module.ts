import { Module } from '@nestjs/common';
import { AuditJobsModule, AuditRetention } from '../features/audit/index.js';
import { BatchesWorkerModule } from '../features/batches/index.js';
import { ChatWorkerModule } from '../features/chat/index.js';
import {
  FileExpiry,
  FileJobsModule,
  FileSweep,
  RemovedContentSweep,
  RemovedFolderSweep,
} from '../features/files/index.js';
import { RagWorkerModule } from '../features/rag/index.js';
import { DeliveryRetention, WebhookWorkerModule } from '../features/webhooks/index.js';
import { ScheduledTasksModule } from '../infra/queue/index.js';

/** All modules with jobs, for the process that runs them. */
@Module({
  imports: [
    BatchesWorkerModule,
    ChatWorkerModule,
    RagWorkerModule,
    WebhookWorkerModule,
    ScheduledTasksModule.forRoot({
      imports: [AuditJobsModule, FileJobsModule, WebhookWorkerModule],
      tasks: [
        AuditRetention,
        DeliveryRetention,
        FileExpiry,
        FileSweep,
        RemovedContentSweep,
        RemovedFolderSweep,
      ],
    }),
  ],
})
export class JobsModule {}
