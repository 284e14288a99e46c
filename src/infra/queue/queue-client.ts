import pg from 'pg';

/**
 * PostgreSQL client of the queues. BullMQ listens for errors of idle clients only, and an error event without a listener
 * ends the process. A lost connection also rejects the statement in progress, so nothing goes unnoticed.
 */
export class QueueClient extends pg.Client {
  constructor(config?: string | pg.ClientConfig) {
    super(config);
    this.on('error', () => undefined);
  }
}
