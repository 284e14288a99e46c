import { type BeforeApplicationShutdown, Inject, Injectable } from '@nestjs/common';
import type { ConfigType } from '@nestjs/config';
import { extractionConfig } from '../../../config/index.js';
import type { ExtractedText } from './extracted-text.js';
import { type DocumentSource, ExtractionProcess, ProcessGoneError } from './extraction-process.js';

/** Time after which an unused process ends, in milliseconds. */
const IDLE_MS = 10_000;

/** Extracts the text of documents in child processes, a bounded number at a time. */
@Injectable()
export class TextExtractor implements BeforeApplicationShutdown {
  private running = 0;
  private readonly waiting = new Set<(value: undefined) => void>();
  private readonly processes = new Set<ExtractionProcess>();
  private readonly idle = new Map<ExtractionProcess, NodeJS.Timeout>();
  private readonly shutdown = new AbortController();

  constructor(@Inject(extractionConfig.KEY) private readonly config: ConfigType<typeof extractionConfig>) {}

  /**
   * Extracts the text of a document, after those that came before it. Never rejects for a bad document: that is a
   * failed result.
   * @throws whatever `bytes` throws, the reason of the signal, or an error if no process can be started or the server
   * is stopping
   */
  async extract(document: DocumentSource, signal: AbortSignal): Promise<ExtractedText> {
    const either = AbortSignal.any([signal, this.shutdown.signal]);
    await this.takePlace(either);
    try {
      return await this.extractNow(document, either);
    } finally {
      this.leavePlace();
    }
  }

  /** Ends all processes, and with them all extractions. */
  async beforeApplicationShutdown(): Promise<void> {
    this.shutdown.abort(new Error('The server is stopping.'));
    for (const timer of this.idle.values()) clearTimeout(timer);
    this.idle.clear();
    const processes = [...this.processes];
    for (const each of processes) each.kill();
    await Promise.all(processes.map(({ ended }) => ended));
  }

  private async extractNow(document: DocumentSource, signal: AbortSignal): Promise<ExtractedText> {
    for (;;) {
      const kept = this.takeIdle();
      const used = kept ?? (await this.startProcess(signal));
      used.setReferenced(true);
      try {
        return await used.extract(document, signal);
      } catch (error) {
        // A kept process can end before its end is known here. The document was not read: another one gets it.
        if (!(error instanceof ProcessGoneError) || kept === undefined) throw error;
      } finally {
        await this.release(used);
      }
    }
  }

  private async startProcess(signal: AbortSignal): Promise<ExtractionProcess> {
    const started = await ExtractionProcess.start(this.config, signal);
    this.processes.add(started);
    void started.ended.then(() => {
      this.processes.delete(started);
      clearTimeout(this.idle.get(started));
      this.idle.delete(started);
    });
    // The shutdown has not seen it if it began during the start.
    if (this.shutdown.signal.aborted) started.kill();
    return started;
  }

  private takeIdle(): ExtractionProcess | undefined {
    for (const [kept, timer] of this.idle) {
      clearTimeout(timer);
      this.idle.delete(kept);
      if (kept.reusable) return kept;
    }
    return undefined;
  }

  /** Keeps the process for the next document, or ends it; its place is free only when it is gone. */
  private async release(used: ExtractionProcess): Promise<void> {
    if (used.reusable && !this.shutdown.signal.aborted) {
      used.setReferenced(false);
      const timer = setTimeout(() => {
        this.idle.delete(used);
        used.kill();
      }, IDLE_MS);
      this.idle.set(used, timer.unref());
      return;
    }
    used.kill();
    await used.ended;
  }

  private async takePlace(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (this.running < this.config.processes) {
      this.running += 1;
      return;
    }
    const { promise, resolve, reject } = Promise.withResolvers<undefined>();
    const abort = (): void => {
      this.waiting.delete(resolve);
      reject(signal.reason);
    };
    this.waiting.add(resolve);
    signal.addEventListener('abort', abort, { once: true });
    try {
      await promise;
    } finally {
      signal.removeEventListener('abort', abort);
    }
  }

  /** Passes the place on to the extraction that waits longest. */
  private leavePlace(): void {
    const [next] = this.waiting;
    if (next === undefined) {
      this.running -= 1;
      return;
    }
    this.waiting.delete(next);
    next(undefined);
  }
}
