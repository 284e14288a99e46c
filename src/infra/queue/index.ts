export { ManagedQueue, ManagedWorker } from './managed-queue.js';
export { QueueDirectory } from './queue-directory.js';
export { QueueModule } from './queue.module.js';
export { registerQueue } from './register-queue.js';
export { runWhenReady } from './run-when-ready.js';
export { SCHEDULED_TASKS_QUEUE, type ScheduledTask } from './scheduled-task.js';
export { ScheduledTasksModule } from './scheduled-tasks.module.js';
