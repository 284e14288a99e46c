export { ManagedQueue } from './managed-queue.js';
export { QueueModule } from './queue.module.js';
export { registerQueue } from './register-queue.js';
