import { Module } from '@nestjs/common';
import { registerQueue } from '../../infra/queue/index.js';
import { LlmModule } from '../../llm/index.js';
import { UsageModule } from '../usage/index.js';
import { TURNS_QUEUE } from './recovery/recovery.queue.js';
import { ChatProcessor } from './maintenance.processor.js';
import { ChoreQueueModule } from './tasks/task-queue.module.js';
import { ChoreProcessor } from './tasks/task.processor.js';
import { ChoreRepository } from './tasks/task.repository.js';
import { ChoreService } from './tasks/task-runner.service.js';
import { RecoveryModule } from './recovery/recovery.module.js';
import { SummaryRepository } from './context/summary.repository.js';
import { SummaryService } from './tasks/summary.task.js';
import { TitleRepository } from './tasks/title.repository.js';
import { IdempotencyRepository } from './turns/idempotency.repository.js';
import { TitleService } from './tasks/title.task.js';

/** The jobs of turns, for whichever process runs jobs. */
@Module({
  imports: [ChoreQueueModule, LlmModule, RecoveryModule, UsageModule, registerQueue(TURNS_QUEUE)],
  providers: [
    ChatProcessor,
    ChoreProcessor,
    ChoreRepository,
    ChoreService,
    IdempotencyRepository,
    SummaryRepository,
    SummaryService,
    TitleRepository,
    TitleService,
  ],
})
export class ChatJobsModule {}
