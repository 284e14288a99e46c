import { Injectable } from '@nestjs/common';
import type { Batch } from '../model/batch.js';
import type { ItemEndStatus, ItemResult } from '../model/batch-item.js';
import { toBatchTask } from '../model/batch-task.js';
import { BatchItemRepository } from '../rows/batch-item.repository.js';
import { type ResultForm, toResultBody } from './batch-result.mapper.js';
import { type BatchKey, BatchService } from './batch.service.js';

/** Number of results that are read at once for a stream. */
const STREAM_PAGE = 100;

/** Size of a piece of a stream, in characters; the line that reaches it is the last one in the piece. */
const PIECE_CHARACTERS = 16 * 2 ** 10;

/** Selects results. */
export interface ResultFilter {
  readonly status: ItemEndStatus | undefined;
  readonly withResponse: boolean;
}

/** A part of the results, in the order of the input. */
export interface ResultSelection extends ResultFilter {
  readonly afterLine: number;
  readonly limit: number;
}

/** Reads the results of batches. */
@Injectable()
export class BatchResultsService {
  constructor(
    private readonly batches: BatchService,
    private readonly items: BatchItemRepository,
  ) {}

  /**
   * Returns results, fewer than the limit if their responses are large.
   * @throws NotFoundError
   */
  async readPage(
    key: BatchKey,
    { afterLine, limit, status, withResponse }: ResultSelection,
  ): Promise<{ readonly results: ItemResult[]; readonly hasMore: boolean; readonly form: ResultForm }> {
    const batch = await this.batches.getBatch(key);
    const statuses = status && [status];
    const read = await this.items.readResults(batch, { afterLine, limit: limit + 1, statuses });
    const results = read.slice(0, limit);
    const last = results.at(-1);
    const hasMore =
      read.length > limit || (last !== undefined && (await this.hasMore(batch, last, statuses)));
    return { results, hasMore, form: { task: toBatchTask(batch.endpoint), withResponse } };
  }

  /**
   * Opens the results of a batch as lines of JSON. They are read in pages, as the caller takes them, and each piece of
   * the stream has whole lines.
   * @throws NotFoundError also while the lines are read, if the batch is deleted in the meantime
   */
  async openLines(
    key: BatchKey,
    { status, withResponse }: ResultFilter,
  ): Promise<() => AsyncGenerator<string>> {
    const batch = await this.batches.getBatch(key);
    const form = { task: toBatchTask(batch.endpoint), withResponse };
    return () => this.readLines(key, batch, form, status && [status]);
  }

  private async *readLines(
    key: BatchKey,
    batch: Batch,
    form: ResultForm,
    statuses: readonly ItemEndStatus[] | undefined,
  ): AsyncGenerator<string> {
    let afterLine = 0;
    for (;;) {
      const results = await this.items.readResults(batch, { afterLine, limit: STREAM_PAGE, statuses });
      const last = results.at(-1);
      if (last === undefined) break;
      yield* joinLines(results, form);
      afterLine = last.line;
    }
    // The rows of a deleted batch disappear in the middle of the input: nobody may take what is left for all of it.
    await this.batches.getBatch(key);
  }

  private async hasMore(
    batch: Batch,
    { line: afterLine }: ItemResult,
    statuses: readonly ItemEndStatus[] | undefined,
  ): Promise<boolean> {
    return (await this.items.readResults(batch, { afterLine, limit: 1, statuses })).length > 0;
  }
}

/**
 * Returns the lines of results in pieces: a write for each line costs more than the line itself.
 */
function* joinLines(results: readonly ItemResult[], form: ResultForm): Generator<string> {
  let piece = '';
  for (const result of results) {
    piece += `${JSON.stringify(toResultBody(result, form))}\n`;
    if (piece.length < PIECE_CHARACTERS) continue;
    yield piece;
    piece = '';
  }
  if (piece !== '') yield piece;
}
