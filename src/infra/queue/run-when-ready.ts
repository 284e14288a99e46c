import type { Worker } from 'bullmq';

/**
 * Runs a worker that does not start by itself (`autorun: false`). A PostgreSQL worker that loses the database before
 * it is ready blocks the event loop forever (BullMQ 6.7.0). Once it is ready, it waits correctly.
 */
export async function runWhenReady(worker: Worker): Promise<void> {
  await worker.waitUntilReady();
  await worker.run();
}
