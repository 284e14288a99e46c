import { BullModule } from '@nestjs/bullmq';
import { Module } from '@nestjs/common';
import { CHORES_QUEUE } from './chat.jobs.js';
import { ChoreQueue } from './chore.queue.js';

/** The way to those who do chores, for turns that make them due and for the sweep. */
@Module({
  imports: [BullModule.registerQueue({ name: CHORES_QUEUE })],
  providers: [ChoreQueue],
  exports: [ChoreQueue],
})
export class ChoreQueueModule {}
