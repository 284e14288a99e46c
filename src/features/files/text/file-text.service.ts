import { Injectable } from '@nestjs/common';
import { Clock } from '../../../common/clock.js';
import { AppError, NotFoundError } from '../../../common/errors.js';
import type { ExtractionFailure, ExtractionWarning } from '../extraction/extracted-text.js';
import { EXTRACTION_FAILURE_MESSAGES } from '../extraction/failure-messages.js';
import { FileService } from '../file.service.js';
import { FileTextRepository, type FileTextRow } from './file-text.repository.js';
import { type PagePart, type PageRange, TextPageRepository } from './text-page.repository.js';
import { TextQueue } from './text.queue.js';

/** Maximum wait of a request for a text, in milliseconds. */
export const TEXT_WAIT_MS = 30_000;

/** Bounds of the delay between two looks at the row of a text, in milliseconds. It grows by half each time. */
const POLL_MS = { min: 30, max: 500 } as const;

/** Maximum number of requests of this process that wait for a text; further ones are answered at once. */
const MAX_WAITING = { total: 200, perAccount: 20 } as const;

/** Delay after which a client should ask again for a text that is not ready, in milliseconds. */
const RETRY_AFTER_MS = 2_000;

/** The text of a file, to be read piece by piece. */
export interface OpenedText {
  /** Number of pages of the whole text. */
  readonly pageCount: number;
  /** Warnings about the pages that were asked for. */
  readonly warnings: readonly ExtractionWarning[];
  /** Reads the pages that were asked for. Throws if the text is deleted in the meantime. */
  readonly readParts: () => AsyncIterable<PagePart>;
}

type ReadyText = Extract<FileTextRow, { status: 'ready' }>;

/** Gives access to the texts of files. Callers that cannot go on without a text wait for it. */
@Injectable()
export class FileTextService {
  /** Number of waiting requests by account. */
  private readonly waiting = new Map<string, number>();
  private waitingCount = 0;

  constructor(
    private readonly texts: FileTextRepository,
    private readonly pages: TextPageRepository,
    private readonly files: FileService,
    private readonly queue: TextQueue,
    private readonly clock: Clock,
  ) {}

  /**
   * Waits until the text of a file is extracted, up to {@link TEXT_WAIT_MS}.
   * @throws NotFoundError
   * @throws AppError `not_ready` with `retryAfterMs`; the code of the failure if there is no text
   * @throws Error when the signal aborts
   */
  async awaitReady(userId: string, fileId: string, signal: AbortSignal): Promise<void> {
    await this.awaitReadyText(userId, fileId, signal);
  }

  /** Returns the total size of the texts of files, in bytes of UTF-8, without those that are not ready. Does not wait. */
  readTextBytes(userId: string, fileIds: readonly string[]): Promise<number> {
    return this.pages.readSize(userId, fileIds);
  }

  /**
   * Opens the text of a file, or one page of it, without waiting for it.
   * @throws NotFoundError if there is no such file or page
   * @throws AppError as {@link awaitReady}
   */
  async openText(userId: string, fileId: string, page?: number): Promise<OpenedText> {
    const text = await this.findReadyText(userId, fileId, true);
    if (text === undefined) throw new TextNotReadyError();
    const { ref, pageCount } = text;
    if (page !== undefined && page > pageCount) throw new NotFoundError('page', String(page));
    const range = page === undefined ? { from: 1, to: pageCount } : { from: page, to: page };
    return {
      pageCount,
      warnings: warningsWithin(text.warnings, range),
      readParts: () => this.pages.readPages(ref, range),
    };
  }

  private async awaitReadyText(userId: string, fileId: string, signal: AbortSignal): Promise<ReadyText> {
    const deadline = this.clock.monotonic() + TEXT_WAIT_MS;
    const text = await this.findReadyText(userId, fileId, true);
    if (text !== undefined) return text;
    if (!this.addWaiting(userId)) throw new TextNotReadyError();
    try {
      for (let waitMs: number = POLL_MS.min; this.clock.monotonic() < deadline; waitMs *= 1.5) {
        // No connection is held meanwhile.
        await this.clock.wait(Math.min(waitMs, POLL_MS.max), signal);
        signal.throwIfAborted();
        const ready = await this.findReadyText(userId, fileId, false);
        if (ready !== undefined) return ready;
      }
      throw new TextNotReadyError();
    } finally {
      this.removeWaiting(userId);
    }
  }

  /** Counts a request that begins to wait. Returns false if too many wait. */
  private addWaiting(userId: string): boolean {
    const own = this.waiting.get(userId) ?? 0;
    if (this.waitingCount >= MAX_WAITING.total || own >= MAX_WAITING.perAccount) return false;
    this.waiting.set(userId, own + 1);
    this.waitingCount += 1;
    return true;
  }

  private removeWaiting(userId: string): void {
    const left = (this.waiting.get(userId) ?? 1) - 1;
    if (left === 0) this.waiting.delete(userId);
    else this.waiting.set(userId, left);
    this.waitingCount -= 1;
  }

  /**
   * Returns the text of a file; undefined if it is still to be extracted.
   * @throws NotFoundError
   * @throws AppError with the code of the failure
   */
  private async findReadyText(
    userId: string,
    fileId: string,
    isFirstLook: boolean,
  ): Promise<ReadyText | undefined> {
    const text = await this.texts.findText(userId, fileId);
    switch (text?.status) {
      case undefined:
        throw new NotFoundError('file', fileId);
      case 'ready':
        return text;
      case 'failed':
        throw new NoTextError(text.error);
      case 'unsupported':
        throw new NoTextError('unsupported_type');
      case 'pending':
        // Its announcement may be lost. A job that waits already is not added twice.
        if (text.isDue && isFirstLook) this.queue.announce([text.ref]);
        return undefined;
      case 'missing': {
        // Uploaded by an earlier version.
        const { contentId, format } = await this.files.adoptContent(userId, fileId);
        if (format === null) throw new NoTextError('unsupported_type');
        this.queue.announce([{ userId, contentId, format }]);
        return undefined;
      }
    }
  }
}

/** Reports that the text of a file is still being extracted. */
export class TextNotReadyError extends AppError {
  constructor() {
    super('not_ready', 'The text of the file is still being extracted. Try again after Retry-After.', {
      retryAfterMs: RETRY_AFTER_MS,
    });
  }
}

/** Reports that a file has no text, with the reason as code. */
export class NoTextError extends AppError {
  constructor(failure: ExtractionFailure) {
    super(failure, EXTRACTION_FAILURE_MESSAGES[failure], { retryable: false });
  }
}

/** Returns the warnings about pages of a range. */
function warningsWithin(
  warnings: readonly ExtractionWarning[],
  { from, to }: PageRange,
): ExtractionWarning[] {
  return warnings
    .map(({ code, pages }) => ({ code, pages: pages.filter((page) => page >= from && page <= to) }))
    .filter(({ pages }) => pages.length > 0);
}
