import { Module } from '@nestjs/common';
import { registerQueue } from '../../../infra/queue/index.js';
import { TASKS_QUEUE } from './task.jobs.js';
import { TaskQueue } from './task.queue.js';

/** The way to those who do chores, for turns that make them due and for the sweep. */
@Module({
  imports: [registerQueue(TASKS_QUEUE)],
  providers: [TaskQueue],
  exports: [TaskQueue],
})
export class TaskQueueModule {}
