import { Injectable } from '@nestjs/common';
import type { NextFunction, Request, RequestHandler, Response } from 'express';
import { AppError } from '../../common/errors.js';
import { TimeoutError, withTimeout } from '../../common/with-timeout.js';
import { type ManagedQueue, QueueDirectory } from '../../infra/queue/index.js';
import { DASHBOARD_PATH } from './dashboard-cookie.js';

/** Maximum wait for the queues to answer, in milliseconds: while Redis is unavailable, their commands wait for its return. */
const QUEUES_MS = 5_000;

/** Maximum wait for the connections of the queues, in milliseconds. */
const CONNECTION_MS = 1_000;

/** Bull Board over all queues. */
@Injectable()
export class QueueDashboard {
  private board: Promise<RequestHandler> | undefined;

  constructor(private readonly directory: QueueDirectory) {}

  /** Serves a request of a page, of a file or of data of the dashboard. */
  async serve(request: Request, response: Response, next: NextFunction): Promise<void> {
    this.board ??= this.createBoard().catch((error: unknown) => {
      this.board = undefined;
      throw error;
    });
    const board = await this.board;
    await board(request, response, next);
  }

  /** Creates the board on first use: an API process that nobody watches does not load its packages. */
  private async createBoard(): Promise<RequestHandler> {
    const [{ createBullBoard }, { BullMQAdapter }, { BoardServer }] = await Promise.all([
      import('@bull-board/api'),
      import('@bull-board/api/bullMQAdapter'),
      import('./board-server.js'),
    ]);
    const queues = this.directory.listQueues();
    const serverAdapter = new BoardServer(DASHBOARD_PATH, (read) => readBounded(queues, read));
    createBullBoard({
      queues: queues.map((queue) => new BullMQAdapter(queue, { readOnlyMode: true, allowRetries: false })),
      serverAdapter,
      options: { uiConfig: { boardTitle: 'Parley queues', hideDocsLink: true } },
    });
    return serverAdapter.handler;
  }
}

/**
 * Reads data of the queues.
 * @throws AppError `service_unavailable` if they do not answer in time
 */
async function readBounded<Data>(
  queues: readonly ManagedQueue[],
  read: () => Data | Promise<Data>,
): Promise<Data> {
  // Checked first, so that a dashboard that polls does not pile up commands that wait for Redis.
  if (!(await areReady(queues))) throw unavailable();
  try {
    return await withTimeout(QUEUES_MS, read);
  } catch (error) {
    throw error instanceof TimeoutError ? unavailable() : error;
  }
}

async function areReady(queues: readonly ManagedQueue[]): Promise<boolean> {
  const away = queues.filter(({ connection }) => connection.isUnavailable);
  if (away.length === 0) return true;
  // Queues that were opened just now are still connecting.
  const connecting = Promise.all(away.map((queue) => queue.waitUntilReady()));
  await withTimeout(CONNECTION_MS, () => connecting).catch(() => undefined);
  return queues.every(({ connection }) => !connection.isUnavailable);
}

function unavailable(): AppError {
  return new AppError('service_unavailable', 'The job queues do not respond. Try again in a moment.', {
    retryAfterMs: 5_000,
  });
}
