import { Inject, Injectable, Logger } from '@nestjs/common';
import type { ConfigType } from '@nestjs/config';
import { ActiveOperations } from '../../../common/active-operations.js';
import { retryWhileUnavailable } from '../../../common/retry-while-unavailable.js';
import { extractionConfig } from '../../../config/index.js';
import { Metrics } from '../../../infra/metrics/index.js';
import { FileStorage } from '../../../infra/storage/index.js';
import type { ExtractedText } from '../extraction/extracted-text.js';
import { ProcessGoneError } from '../extraction/extraction-process.js';
import { TextExtractor } from '../extraction/text-extractor.js';
import { type ClaimedText, FileTextRepository, TEXT_LEASE_SECONDS } from './file-text.repository.js';
import { StoredDocument } from './stored-document.js';
import type { TextRef } from './text.jobs.js';
import { TextQueue } from './text.queue.js';

/** Maximum number of attempts of a text. Each but the last ended because its process died, or could not work. */
const MAX_ATTEMPTS = 3;

/** Interval at which a claim is renewed, in milliseconds: two chances before it expires. */
const RENEW_MS = (TEXT_LEASE_SECONDS * 1000) / 3;

/** Maximum time for reading a document from its store, in milliseconds. */
const READ_TIMEOUT_MS = 300_000;

/** Bounds of the delay while the store is unavailable or no process can be started, in seconds. It is half the age of the text. */
const STORE_WAIT_SECONDS = { min: 5, max: 60 } as const;

/** Age at which a text is given up if its file cannot be read, in seconds: a day. */
const UNREADABLE_LIMIT_SECONDS = 86_400;

/** Delay after the first failure of the extraction itself, in seconds; the next one is four times as long. */
const FAULT_WAIT_SECONDS = 10;

/** Maximum number of texts that one sweep announces. */
const BATCH = 100;

/** End of an attempt at a text. */
type AttemptEnd =
  | { readonly type: 'result'; readonly text: ExtractedText }
  | { readonly type: 'released'; readonly waitSeconds: number; readonly counted: boolean };

/** Extracts texts. The result does not depend on which process extracts one, or on how often it is notified. */
@Injectable()
export class TextRunnerService {
  private readonly logger = new Logger(TextRunnerService.name);
  private readonly closing = new AbortController();
  private readonly running = new Set<Promise<void>>();

  constructor(
    private readonly texts: FileTextRepository,
    @Inject(TextQueue) private readonly queue: Pick<TextQueue, 'announce'>,
    @Inject(TextExtractor) private readonly extractor: Pick<TextExtractor, 'extract'>,
    @Inject(FileStorage) private readonly storage: Pick<FileStorage, 'open'>,
    private readonly operations: ActiveOperations,
    private readonly metrics: Metrics,
    @Inject(extractionConfig.KEY) private readonly config: ConfigType<typeof extractionConfig>,
  ) {}

  /** True once the process is stopping: it claims no more texts. */
  get isStopping(): boolean {
    return this.closing.signal.aborted;
  }

  /** Aborts the running extractions and waits until their claims are released: other processes go on at once. */
  async stop(): Promise<void> {
    this.closing.abort();
    await Promise.allSettled(this.running);
  }

  /** Extracts a text, if it is due and no other process is extracting it. */
  async runText(ref: TextRef): Promise<void> {
    if (this.isStopping) return;
    const running = this.claimAndExtract(ref);
    this.running.add(running);
    try {
      await running;
    } finally {
      this.running.delete(running);
    }
  }

  /** Announces due texts again, in case a notification was lost or the process that had one died. */
  async announceDueTexts(): Promise<void> {
    if (!this.isStopping) this.queue.announce(await this.texts.listDueTexts(BATCH));
  }

  private async claimAndExtract(ref: TextRef): Promise<void> {
    const claimed = await this.texts.claimText(ref);
    if (claimed === undefined) return;
    const end = await this.attemptText(claimed);
    // An expired claim still holds until another process takes the text, and while the pages are stored their row is
    // locked. If another process was faster, for example after the database was away for long, the lease in the row
    // refuses this end, and the text is extracted again.
    const isOurs = await retryWhileUnavailable(() => this.storeEnd(claimed, end));
    if (!isOurs)
      this.logger.log({ content: ref.contentId }, 'a text is no longer needed, or another process has it');
  }

  private storeEnd(claimed: ClaimedText, end: AttemptEnd): Promise<boolean> {
    if (end.type === 'released') return this.texts.releaseClaim(claimed, end);
    return end.text.status === 'ready'
      ? this.texts.storePages(claimed, end.text)
      : this.texts.storeFailure(claimed, end.text.error);
  }

  /** Never rejects: every attempt has an end. */
  private async attemptText(claimed: ClaimedText): Promise<AttemptEnd> {
    // Each process that attempted it died.
    if (claimed.attempts > MAX_ATTEMPTS) return failed('damaged');
    const stopped = new AbortController();
    const stop = (): void => {
      stopped.abort();
    };
    const forget = this.operations.register({ userId: claimed.userId, apiKeyId: null }, stop);
    const renewal = this.renewUntilLost(claimed, stop);
    const ended = AbortSignal.any([stopped.signal, this.closing.signal]);
    const document = new StoredDocument(this.storage, claimed);
    const begun = performance.now();
    const timeout = AbortSignal.timeout(READ_TIMEOUT_MS + this.config.timeoutMs);
    try {
      const signal = AbortSignal.any([ended, timeout]);
      const text = await this.extractor.extract({ format: claimed.format, bytes: document.read() }, signal);
      this.recordDuration(claimed, begun, text.status === 'ready' ? 'ready' : text.error);
      return { type: 'result', text };
    } catch (error) {
      if (ended.aborted) return { type: 'released', waitSeconds: 0, counted: false };
      // A store that is too slow is not the fault of the document.
      const isStoreSlow = timeout.aborted && !document.isRead;
      return this.endAfter(claimed, document.readFailure ?? (isStoreSlow ? 'unavailable' : undefined), error);
    } finally {
      clearInterval(renewal);
      forget();
    }
  }

  private endAfter(
    claimed: ClaimedText,
    readFailure: StoredDocument['readFailure'],
    error: unknown,
  ): AttemptEnd {
    const { contentId: content, attempts, ageSeconds } = claimed;
    if (readFailure === 'missing') {
      this.logger.error({ err: error, content }, 'the bytes of a file are gone; it has no text');
      return failed('damaged');
    }
    if (readFailure === 'unavailable' || error instanceof ProcessGoneError) {
      if (ageSeconds > UNREADABLE_LIMIT_SECONDS) {
        this.logger.error({ err: error, content }, 'a file could not be read for a day; it has no text');
        return failed('damaged');
      }
      const { min, max } = STORE_WAIT_SECONDS;
      const waitSeconds = Math.min(max, Math.max(min, ageSeconds / 2));
      this.logger.warn(
        { err: error, content },
        'could not begin to extract a text, or not read its file; will retry',
      );
      return { type: 'released', waitSeconds, counted: false };
    }
    if (attempts >= MAX_ATTEMPTS) {
      this.logger.error({ err: error, content }, 'the extraction of a text failed too often; giving up');
      return failed('damaged');
    }
    this.logger.warn({ err: error, content }, 'the extraction of a text failed; will retry');
    return { type: 'released', waitSeconds: FAULT_WAIT_SECONDS * 4 ** (attempts - 1), counted: true };
  }

  /** Renews a claim until it is lost, because the content was deleted or another process has it. */
  private renewUntilLost(claimed: ClaimedText, onLost: () => void): NodeJS.Timeout {
    return setInterval(() => {
      this.texts.renewClaim(claimed).then(
        (isOurs) => {
          if (!isOurs) onLost();
        },
        (error: unknown) => {
          this.logger.debug({ err: error }, 'could not renew the claim on a text; will retry');
        },
      );
    }, RENEW_MS).unref();
  }

  private recordDuration({ format }: ClaimedText, begun: number, result: string): void {
    const seconds = (performance.now() - begun) / 1000;
    this.metrics.extractionDuration.observe({ text_format: format, extraction_result: result }, seconds);
  }
}

function failed(error: Extract<ExtractedText, { status: 'failed' }>['error']): AttemptEnd {
  return { type: 'result', text: { status: 'failed', error } };
}
