import {
  type IQueueBackend,
  Queue,
  type QueueOptions,
  Worker,
  type WorkerOptions,
  type Processor,
} from 'bullmq';
import { QueueConnection } from './queue-connection.js';

/** A queue that logs its errors, and that can be closed while Redis is unavailable. */
export class ManagedQueue<Data = unknown> extends Queue<Data, unknown> {
  readonly connection: QueueConnection;

  constructor(name: string, options: QueueOptions) {
    super(name, options);
    this.connection = listen(this);
  }

  override async close(): Promise<void> {
    // A graceful close would wait for Redis to respond.
    if (this.connection.isUnavailable) this.closing ??= this.backend.close(true);
    await super.close();
  }
}

/** A worker that logs its errors, and that can be closed while Redis is unavailable. */
export class ManagedWorker<Data = unknown> extends Worker<Data> {
  readonly connection: QueueConnection;

  constructor(name: string, processor: Processor<Data>, options: WorkerOptions) {
    super(name, processor, options);
    this.connection = listen(this);
  }

  override close(force = false): Promise<void> {
    return super.close(force || this.connection.isUnavailable);
  }
}

/**
 * Adds the error listener immediately: BullMQ prints an error that has no listener, with its stack and at each
 * attempt to connect.
 */
function listen(queue: {
  readonly name: string;
  readonly backend: IQueueBackend;
  readonly closing: Promise<void> | undefined;
  on(event: 'error', listener: (error: Error) => void): unknown;
}): QueueConnection {
  const connection = new QueueConnection(queue.name, queue.backend);
  queue.on('error', (error) => {
    // A queue may lose its database while it closes, for instance after a failed start.
    if (queue.closing === undefined) connection.logError(error);
  });
  return connection;
}
