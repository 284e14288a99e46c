import { Module } from '@nestjs/common';
import { registerQueue } from '../../../infra/queue/index.js';
import { CHORES_QUEUE } from './task.jobs.js';
import { ChoreQueue } from './task.queue.js';

/** The way to those who do chores, for turns that make them due and for the sweep. */
@Module({
  imports: [registerQueue(CHORES_QUEUE)],
  providers: [ChoreQueue],
  exports: [ChoreQueue],
})
export class ChoreQueueModule {}
