import { setTimeout as delay } from 'node:timers/promises';
import { Injectable } from '@nestjs/common';
import { Clock } from '../../../common/clock.js';
import { alphanumericDigest } from '../../../common/digest.js';
import type { OutgoingEvent } from '../../../common/event-stream.js';
import { isFinal, toBatchBody, toProgressKey } from './batch.mapper.js';
import { type BatchKey, BatchService } from './batch.service.js';

/** Interval between two looks at a batch, in milliseconds; it grows while nothing changes. */
const POLL_MS = { min: 500, max: 2_000, growth: 1.5 } as const;

/** Length of the id of an event, enough to tell the states of one batch apart. */
const ID_LENGTH = 12;

/** Streams the states of batches. Reads the row, because any process may run its items. */
@Injectable()
export class BatchEvents {
  constructor(
    private readonly batches: BatchService,
    private readonly clock: Clock,
  ) {}

  /**
   * Opens the events of a batch: its state, unless it is the one that the client has seen last, and again after each
   * change, until it has ended. Each look checks the rights anew.
   * @param lastEventId id of the last event that the client has received
   * @throws NotFoundError also in the stream, if the batch is deleted in the meantime
   */
  async openEvents(
    key: BatchKey,
    lastEventId: string | undefined,
  ): Promise<(signal: AbortSignal) => AsyncGenerator<OutgoingEvent>> {
    await this.batches.getBatch(key);
    return (signal) => this.follow(key, lastEventId, signal);
  }

  private async *follow(
    key: BatchKey,
    lastEventId: string | undefined,
    signal: AbortSignal,
  ): AsyncGenerator<OutgoingEvent> {
    let lastId = lastEventId;
    let waitMs: number = POLL_MS.min;
    for (;;) {
      const body = toBatchBody(await this.batches.getBatch(key), this.clock.now());
      const id = alphanumericDigest(toProgressKey(body), ID_LENGTH);
      if (id !== lastId) {
        yield { id, data: JSON.stringify(body) };
        lastId = id;
        waitMs = POLL_MS.min;
      }
      if (isFinal(body)) break;
      await delay(waitMs, undefined, { signal });
      waitMs = Math.min(POLL_MS.max, waitMs * POLL_MS.growth);
    }
    yield { data: '[DONE]' };
  }
}
