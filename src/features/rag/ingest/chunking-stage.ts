import { setImmediate as nextTurn, setTimeout as delay } from 'node:timers/promises';
import { Injectable } from '@nestjs/common';
import { NotFoundError } from '../../../common/errors.js';
import {
  FileService,
  FileTextService,
  NoTextError,
  type OpenedText,
  TextNotReadyError,
} from '../../files/index.js';
import { type ChunkDraft, chunkPages } from '../model/chunker.js';
import { chunkFormatOf } from './chunk-format.js';
import { CHUNK_LIMIT_MESSAGES, MAX_CHUNKS } from './document.errors.js';
import { toFailure, toLostClaim, toRelease } from './ingestion-end.js';
import { IngestionStoreRepository } from './ingestion-store.repository.js';
import type { ClaimedIngestion } from './ingestion.js';

/** Number of chunks that one transaction stores. Their terms are found without a break for other work of this process. */
const STORE_BATCH = 64;

/** Number of chunks after which the room in the account is read again: the most by which one document exceeds it. */
const ROOM_READ_EVERY = 1_024;

/** Times of the looks at a text that is not extracted yet, in milliseconds: most are ready within a second. */
const TEXT_LOOKS_MS: readonly number[] = [50, 100, 200, 300, 400];

/** Bounds of the delay until the next attempt if a text is not extracted yet, in seconds. It is a quarter of the age. */
const TEXT_WAIT_SECONDS = { min: 0.5, max: 10 } as const;

/** Divides the text of a document into chunks and stores them. */
@Injectable()
export class ChunkingStage {
  constructor(
    private readonly files: FileService,
    private readonly texts: FileTextService,
    private readonly store: IngestionStoreRepository,
  ) {}

  /**
   * Stores the chunks of an ingestion that are not stored yet.
   * @returns the number of all chunks
   * @throws IngestionInterruption
   */
  async storeChunks(claimed: ClaimedIngestion, signal: AbortSignal): Promise<number> {
    const { userId, fileId, chunkTokens, chunkOverlap } = claimed;
    const text = await this.openText(claimed, signal);
    const file = await this.files.getFile(userId, fileId).catch(throwIfGone);
    if (!(await this.store.beginChunking(claimed, text))) throw toLostClaim();
    const drafts = chunkPages(text.readParts(), {
      maxTokens: chunkTokens,
      overlapTokens: chunkOverlap,
      format: chunkFormatOf(file),
    });
    let count = claimed.chunkedCount;
    let room = 0;
    let sinceRead = Infinity;
    for await (const batch of batchesFrom(drafts, claimed.chunkedCount)) {
      // Read again after some chunks, because other documents of the account may be growing.
      if (sinceRead >= ROOM_READ_EVERY) {
        const status = claimed.isBuilding ? 'building' : 'active';
        room = MAX_CHUNKS - (await this.store.readStoredChunks(userId, status)) + count;
        sinceRead = 0;
      }
      sinceRead += batch.length;
      count += batch.length;
      if (count > room) throw toFailure({ code: 'limit_reached', message: CHUNK_LIMIT_MESSAGES.chunks });
      if (!(await this.store.storeChunks(claimed, batch))) throw toLostClaim();
      // Dividing a text keeps this thread busy.
      await nextTurn();
      if (signal.aborted) throw toRelease(0);
    }
    if (count === 0)
      throw toFailure({ code: 'empty', message: 'The document has no text that could be searched.' });
    if (!(await this.store.endChunking(claimed))) throw toLostClaim();
    return count;
  }

  /** Opens the text of the document. While it is being extracted, the attempt ends after a short wait. */
  private async openText(claimed: ClaimedIngestion, signal: AbortSignal): Promise<OpenedText> {
    for (const waitMs of TEXT_LOOKS_MS) {
      try {
        return await this.texts.openText(claimed.userId, claimed.fileId);
      } catch (error) {
        if (!(error instanceof TextNotReadyError)) return throwAsFailure(error);
        await delay(waitMs, undefined, { signal });
      }
    }
    const { min, max } = TEXT_WAIT_SECONDS;
    throw toRelease(Math.min(max, Math.max(min, claimed.ageSeconds / 4)));
  }
}

/** Groups the chunks from an ordinal on; those before it are stored already. */
async function* batchesFrom(drafts: AsyncIterable<ChunkDraft>, first: number): AsyncGenerator<ChunkDraft[]> {
  let batch: ChunkDraft[] = [];
  for await (const draft of drafts) {
    if (draft.ordinal < first) continue;
    batch.push(draft);
    if (batch.length < STORE_BATCH) continue;
    yield batch;
    batch = [];
  }
  if (batch.length > 0) yield batch;
}

function throwAsFailure(error: unknown): never {
  if (error instanceof NoTextError) throw toFailure({ code: error.code, message: error.message });
  return throwIfGone(error);
}

/** Deleting the file deletes the document, so nobody sees this end. */
function throwIfGone(error: unknown): never {
  if (error instanceof NotFoundError) throw toLostClaim();
  throw error;
}
