import { Module } from '@nestjs/common';
import { registerQueue } from '../../infra/queue/index.js';
import { LlmModule } from '../../llm/index.js';
import { UsageModule } from '../usage/index.js';
import { TURNS_QUEUE } from './recovery/recovery.queue.js';
import { MaintenanceProcessor } from './maintenance.processor.js';
import { ChatCoreModule } from './chat-core.module.js';
import { TaskProcessor } from './tasks/task.processor.js';
import { TaskRepository } from './tasks/task.repository.js';
import { TaskRunnerService } from './tasks/task-runner.service.js';
import { SummaryRepository } from './context/summary.repository.js';
import { SummaryTask } from './tasks/summary.task.js';
import { TitleRepository } from './tasks/title.repository.js';
import { IdempotencyRepository } from './turns/idempotency.repository.js';
import { TitleTask } from './tasks/title.task.js';

/** The jobs of turns, for the process that runs jobs. */
@Module({
  imports: [ChatCoreModule, LlmModule, UsageModule, registerQueue(TURNS_QUEUE)],
  providers: [
    MaintenanceProcessor,
    TaskProcessor,
    TaskRepository,
    TaskRunnerService,
    IdempotencyRepository,
    SummaryRepository,
    SummaryTask,
    TitleRepository,
    TitleTask,
  ],
})
export class ChatWorkerModule {}
