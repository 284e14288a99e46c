import { Module } from '@nestjs/common';
import { registerQueue } from '../../../infra/queue/index.js';
import { TASKS_QUEUE } from './task.jobs.js';
import { TaskQueue } from './task.queue.js';

/** Access to the task queue, for turns that make tasks due and for the sweep. */
@Module({
  imports: [registerQueue(TASKS_QUEUE)],
  providers: [TaskQueue],
  exports: [TaskQueue],
})
export class TaskQueueModule {}
