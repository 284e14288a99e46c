import { setTimeout as delay } from 'node:timers/promises';
import { Injectable } from '@nestjs/common';
import type { OutgoingEvent } from '../../../common/event-stream.js';
import type { DocumentStatus } from '../ingest/ingestion.js';
import { toDocumentBody } from './document.mapper.js';
import { DocumentService } from './document.service.js';

/** Interval between two looks at a document, in milliseconds; it grows while nothing changes. */
const POLL_MS = { min: 200, max: 1_000, growth: 1.5 } as const;

/** A document whose indexing is followed. */
export interface FollowedDocument {
  readonly userId: string;
  /** Id or name of its collection. */
  readonly collection: string;
  readonly id: string;
}

/** Streams the states of documents. Reads the row, because any process may work on a document. */
@Injectable()
export class DocumentEvents {
  constructor(private readonly documents: DocumentService) {}

  /**
   * Yields the state of a document, and again after each change, until its indexing has ended. Each look checks the
   * rights anew.
   * @throws NotFoundError also if the document is deleted meanwhile
   */
  async *follow(
    { userId, collection, id }: FollowedDocument,
    signal: AbortSignal,
  ): AsyncGenerator<OutgoingEvent> {
    let last: string | undefined;
    let waitMs: number = POLL_MS.min;
    for (;;) {
      const body = toDocumentBody(await this.documents.getDocument(userId, collection, id));
      const data = JSON.stringify(body);
      if (data !== last) {
        yield { data };
        last = data;
        waitMs = POLL_MS.min;
      }
      if (isFinal(body.status)) break;
      await delay(waitMs, undefined, { signal });
      waitMs = Math.min(POLL_MS.max, waitMs * POLL_MS.growth);
    }
    yield { data: '[DONE]' };
  }
}

function isFinal(status: DocumentStatus): boolean {
  return status === 'ready' || status === 'failed' || status === 'cancelled';
}
