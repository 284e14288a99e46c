import { type ChildProcess, fork } from 'node:child_process';
import { constants, setPriority } from 'node:os';
import { join } from 'node:path';
import { PACKAGE_ROOT } from '../../../config/index.js';
import type { ExtractedPage, ExtractedText, ExtractionFailure, TextFormat } from './extracted-text.js';
import { extractionNodeOptions } from './extraction-node-options.js';
import {
  type ExtractionLimits,
  type ExtractionReply,
  type ExtractionRequest,
  MEMORY_EXCEEDED_SIGNAL,
  parseExtractionReply,
  serializeLimits,
} from './extraction-protocol.js';

/** The compiled program, also when the caller runs from the sources. */
const PROGRAM = join(PACKAGE_ROOT, 'dist/features/files/extraction/extraction-child.js');

/** Maximum number of documents of a process: whatever parsers keep of each is returned with it. */
const MAX_DOCUMENTS = 100;

/** Maximum time for a process to start, in milliseconds. */
const START_MS = 60_000;

/** Maximum size of a message with bytes of a document. */
const MESSAGE_BYTES = 262_144;

/** A document whose text is to be extracted. */
export interface DocumentSource {
  readonly format: TextFormat;
  readonly bytes: AsyncIterable<Uint8Array>;
}

/** Limits of one document. */
export interface DocumentLimits extends ExtractionLimits {
  /** Maximum time from the last byte of the document to the end of its text. */
  readonly timeoutMs: number;
}

/** Reports that the process could not be started, or ended before it accepted the document. Another one can have it. */
export class ProcessGoneError extends Error {
  override readonly name = 'ProcessGoneError';
}

/** Reports that the process was killed from outside while it had a document, which says nothing about the document. */
export class ProcessKilledError extends Error {
  override readonly name = 'ProcessKilledError';
}

/** A process that extracts the text of one document at a time. */
export class ExtractionProcess {
  /** Resolves when the process has ended. */
  readonly ended: Promise<unknown>;
  /** False once the process has ended, was killed, or uses too much memory for another document. */
  reusable = true;
  /** Called when the process ends, for the document that it has. Reactions to `ended` would keep all earlier ones. */
  private onEnd: () => void = () => undefined;
  /** Resolve the messages that are on their way. */
  private readonly sending = new Set<() => void>();
  private onReply: (reply: ExtractionReply | undefined) => void = () => undefined;
  private hasEnded = false;
  /** Number of documents begun. */
  private documents = 0;
  private endedBy: ExtractionFailure | ProcessKilledError = 'damaged';

  private constructor(
    private readonly child: ChildProcess,
    private readonly limits: DocumentLimits,
  ) {
    const { promise, resolve } = Promise.withResolvers<undefined>();
    this.ended = promise;
    const end = (): void => {
      this.hasEnded = true;
      this.reusable = false;
      resolve(undefined);
      this.onEnd();
      for (const stop of this.sending) stop();
    };
    child.once('exit', (code, signal) => {
      // V8 aborts when its heap is full.
      if (signal === MEMORY_EXCEEDED_SIGNAL || signal === 'SIGABRT' || code === 134)
        this.endedBy = 'too_large';
      // Such as SIGKILL, which an operator sends, and the kernel when the machine is out of memory.
      else if (signal !== null)
        this.endedBy = new ProcessKilledError(`The process for text extraction was ended by ${signal}.`);
      end();
    });
    child.on('error', () => {
      if (child.pid === undefined) end();
    });
    child.on('message', (message) => this.onReply(parseExtractionReply(message)));
  }

  /**
   * Starts a process at a low priority.
   * @throws ProcessGoneError if the operating system cannot create it, or it ends before it is ready
   * @throws the reason of the signal
   */
  static async start(limits: DocumentLimits, signal: AbortSignal): Promise<ExtractionProcess> {
    const child = forkProgram(PROGRAM, [serializeLimits(limits), String(process.pid)], {
      env: {},
      cwd: PACKAGE_ROOT,
      serialization: 'advanced',
      // Parsers print parts of documents, which belong into no log.
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
      execArgv: extractionNodeOptions(limits.memoryBytes),
    });
    lowerPriority(child.pid);
    const started = new ExtractionProcess(child, limits);
    const abort = (): void => {
      started.kill();
    };
    signal.addEventListener('abort', abort, { once: true });
    if (signal.aborted) abort();
    try {
      if (await started.waitUntilReady()) return started;
    } finally {
      signal.removeEventListener('abort', abort);
    }
    started.kill();
    signal.throwIfAborted();
    throw new ProcessGoneError('A process for text extraction could not be started.');
  }

  /** Ends the process at once; `ended` resolves when it is gone. */
  kill(): void {
    this.reusable = false;
    this.child.kill('SIGKILL');
  }

  /** Keeps this process's parent running, or lets it end. */
  setReferenced(referenced: boolean): void {
    for (const handle of [this.child, this.child.channel]) {
      if (referenced) handle?.ref();
      else handle?.unref();
    }
  }

  /**
   * Extracts the text of a document. A process that is no longer `reusable` afterwards is to be killed.
   * @throws ProcessGoneError if nothing was read from the document
   * @throws ProcessKilledError if another process ended this one
   * @throws whatever reading the bytes throws, or the reason of the signal
   */
  async extract(document: DocumentSource, signal: AbortSignal): Promise<ExtractedText> {
    this.documents += 1;
    this.reusable &&= this.documents < MAX_DOCUMENTS;
    const pages: ExtractedPage[] = [];
    const accepted = Promise.withResolvers<boolean>();
    const result = Promise.withResolvers<ExtractedText>();
    const fail = (error: ExtractionFailure): void => result.resolve({ status: 'failed', error });
    const counter = new PageCounter(this.limits);
    this.onReply = (reply) => {
      switch (reply?.type) {
        case 'accepted':
          accepted.resolve(true);
          break;
        case 'page': {
          const exceeded = counter.add(reply.text);
          if (exceeded === undefined) pages.push({ page: pages.length + 1, text: reply.text });
          else this.giveUp(exceeded, fail);
          break;
        }
        case 'complete':
          this.reusable &&= reply.reusable;
          if (pages.length === 0 || !reply.warnings.every((warning) => isWithin(warning.pages, pages.length)))
            this.giveUp('damaged', fail);
          else result.resolve({ status: 'ready', pages, warnings: reply.warnings });
          break;
        case 'failed':
          this.reusable &&= reply.reusable;
          fail(reply.error);
          break;
        case 'ready':
        case undefined:
          this.giveUp('damaged', fail);
      }
    };
    const abort = (): void => {
      this.kill();
      result.reject(signal.reason);
    };
    this.onEnd = () => {
      accepted.resolve(false);
      if (this.endedBy instanceof ProcessKilledError) result.reject(this.endedBy);
      else fail(this.endedBy);
    };
    if (this.hasEnded) this.onEnd();
    // The result may arrive before anyone waits for it.
    result.promise.catch(() => undefined);
    let timer: NodeJS.Timeout | undefined;
    signal.addEventListener('abort', abort, { once: true });
    if (signal.aborted) abort();
    try {
      await this.send({ type: 'document', format: document.format });
      if (!(await Promise.race([accepted.promise, result.promise.then(() => false)])))
        throw new ProcessGoneError('The process for text extraction ended.');
      await this.sendBytes(document.bytes, result.promise);
      timer = setTimeout(() => this.giveUp('timeout', fail), this.limits.timeoutMs);
      return await result.promise;
    } catch (error) {
      // It has read a part of a document, whose rest will not come.
      this.kill();
      throw error;
    } finally {
      clearTimeout(timer);
      signal.removeEventListener('abort', abort);
      this.onReply = () => undefined;
      this.onEnd = () => undefined;
    }
  }

  private giveUp(error: ExtractionFailure, fail: (error: ExtractionFailure) => void): void {
    fail(error);
    this.kill();
  }

  /** Sends the bytes as fast as the process takes them. Stops early when there is a result. */
  private async sendBytes(bytes: AsyncIterable<Uint8Array>, result: Promise<unknown>): Promise<void> {
    const iterator = bytes[Symbol.asyncIterator]();
    const stopped = result.then((): IteratorResult<Uint8Array, undefined> => ({
      done: true,
      value: undefined,
    }));
    let complete = false;
    try {
      for (;;) {
        const next = await Promise.race([iterator.next(), stopped]);
        if (next.done === true) break;
        for (let offset = 0; offset < next.value.length; offset += MESSAGE_BYTES)
          await this.send({ type: 'bytes', bytes: next.value.slice(offset, offset + MESSAGE_BYTES) });
      }
      complete = true;
      await this.send({ type: 'end' });
    } finally {
      // A source that is still waiting for its next bytes ends when they come, and nothing waits for that.
      if (!complete || this.hasEnded) iterator.return?.().then(undefined, () => undefined);
    }
  }

  /** Resolves when the message has left this process, or the other one has ended. */
  private send(message: ExtractionRequest): Promise<void> {
    return new Promise((resolve) => {
      const stop = (): void => {
        this.sending.delete(stop);
        resolve();
      };
      this.sending.add(stop);
      // An error means that the process has ended, which `onEnd` reports.
      this.child.send(message, stop);
      if (this.hasEnded) stop();
    });
  }

  private async waitUntilReady(): Promise<boolean> {
    const { promise, resolve } = Promise.withResolvers<boolean>();
    this.onReply = (reply) => {
      resolve(reply?.type === 'ready');
    };
    const timer = setTimeout(() => {
      resolve(false);
    }, START_MS);
    void this.ended.then(() => {
      resolve(false);
    });
    try {
      return await promise;
    } finally {
      clearTimeout(timer);
      this.onReply = () => undefined;
    }
  }
}

/**
 * Starts a process.
 * @throws ProcessGoneError for the errors that Node throws; it emits those that mean a lack of resources
 */
function forkProgram(...parameters: Parameters<typeof fork>): ChildProcess {
  try {
    return fork(...parameters);
  } catch (cause) {
    throw new ProcessGoneError('A process for text extraction could not be started.', { cause });
  }
}

/** Counts what a process sends once more: it has read a hostile document. */
class PageCounter {
  private pages = 0;
  private characters = 0;

  constructor(private readonly limits: DocumentLimits) {}

  /** Returns the limit that the page exceeds, if any. */
  add(text: string): 'too_many_pages' | 'too_large' | undefined {
    this.pages += 1;
    this.characters += text.length;
    if (this.pages > this.limits.maxPages) return 'too_many_pages';
    return this.characters > this.limits.maxCharacters ? 'too_large' : undefined;
  }
}

function isWithin(pages: readonly number[], count: number): boolean {
  return pages.every((page) => Number.isInteger(page) && page >= 1 && page <= count);
}

/** Not the lowest priority: with that, harmless documents exceeded their time on a busy machine. */
function lowerPriority(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    setPriority(pid, constants.priority.PRIORITY_BELOW_NORMAL);
  } catch {
    // It has ended already, or the platform does not allow it; the text is extracted all the same.
  }
}
