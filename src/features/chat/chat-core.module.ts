import { BullModule } from '@nestjs/bullmq';
import { Module } from '@nestjs/common';
import { registerQueue } from '../../infra/queue/index.js';
import { LlmModule } from '../../llm/index.js';
import { UsageModule } from '../usage/index.js';
import { ActiveGenerations } from './recovery/active-generations.js';
import { RecoveryRepository } from './recovery/recovery.repository.js';
import { RecoveryService } from './recovery/recovery.service.js';
import { AnswerLog } from './streams/answer-log.js';
import { TASKS_QUEUE } from './tasks/task.jobs.js';
import { TaskQueue } from './tasks/task.queue.js';

/** Providers that the API and the worker share: recovery of interrupted answers, and the queue of conversation tasks. */
@Module({
  imports: [LlmModule, UsageModule, registerQueue(TASKS_QUEUE)],
  providers: [ActiveGenerations, AnswerLog, RecoveryRepository, RecoveryService, TaskQueue],
  exports: [ActiveGenerations, AnswerLog, BullModule, RecoveryService, TaskQueue],
})
export class ChatCoreModule {}
