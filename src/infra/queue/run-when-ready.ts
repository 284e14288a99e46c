import type { Worker } from 'bullmq';

/**
 * Runs a worker that does not run by itself (`autorun: false`). One on PostgreSQL that loses the database before it is
 * ready goes round for ever without letting anything else run (BullMQ 6.7.0). Once it is ready it waits, as it should.
 */
export async function runWhenReady(worker: Worker): Promise<void> {
  await worker.waitUntilReady();
  await worker.run();
}
