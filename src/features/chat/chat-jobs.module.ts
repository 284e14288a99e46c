import { Module } from '@nestjs/common';
import { registerQueue } from '../../infra/queue/index.js';
import { LlmModule } from '../../llm/index.js';
import { UsageModule } from '../usage/index.js';
import { TURNS_QUEUE } from './chat.jobs.js';
import { ChatProcessor } from './chat.processor.js';
import { ChoreQueueModule } from './chore-queue.module.js';
import { ChoreProcessor } from './chore.processor.js';
import { ChoreRepository } from './chore.repository.js';
import { ChoreService } from './chore.service.js';
import { RecoveryModule } from './recovery.module.js';
import { SummaryRepository } from './summary.repository.js';
import { SummaryService } from './summary.service.js';
import { TitleRepository } from './title.repository.js';
import { TitleService } from './title.service.js';

/** The jobs of turns, for whichever process runs jobs. */
@Module({
  imports: [ChoreQueueModule, LlmModule, RecoveryModule, UsageModule, registerQueue(TURNS_QUEUE)],
  providers: [
    ChatProcessor,
    ChoreProcessor,
    ChoreRepository,
    ChoreService,
    SummaryRepository,
    SummaryService,
    TitleRepository,
    TitleService,
  ],
})
export class ChatJobsModule {}
