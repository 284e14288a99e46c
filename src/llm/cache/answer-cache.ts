import type { SharedCache } from '../../infra/cache/index.js';
import type { CachedAnswer } from './cached-answer.js';

/** Longest answer that is kept, in UTF-16 units of its JSON. */
const MAX_LENGTH = 1_000_000;

/** What became of an answer that others wait for: there it is, or nothing that could be given again, or nobody made it. */
export type Landing = CachedAnswer | 'failed' | 'left';

/** What a call finds: an answer that is there, or the duty to make it. */
export type Found =
  | { readonly type: 'hit'; readonly answer: CachedAnswer }
  /** Nobody has it. `land` must be called, once. */
  | { readonly type: 'miss'; readonly land: (landing: Landing) => Promise<void> };

/** Answers that were asked for before, and those that are being made. Equal calls at once in one process ask a model once. */
export class AnswerCache {
  private readonly flights = new Map<string, Promise<Landing>>();

  constructor(
    private readonly store: SharedCache,
    /** Milliseconds: how long answers are kept, and how long an answer that is being made is waited for. */
    private readonly times: { readonly ttlMs: number; readonly waitMs: number },
  ) {}

  /**
   * The answer of a key, waiting for one that is being made, but not for ever: whoever makes it may read slowly.
   * @returns undefined where the signal aborted first
   */
  async find(key: string, signal: AbortSignal): Promise<Found | undefined> {
    while (!signal.aborted) {
      const stored = await this.stored(key);
      if (stored !== undefined) return { type: 'hit', answer: stored };
      const flight = this.flights.get(key);
      // Between this look and the entry that `take` makes nothing else runs, so only one of two becomes the maker.
      if (flight === undefined) return { type: 'miss', land: this.take(key) };
      const landing = await within(this.times.waitMs, flight, signal);
      // Who waited asks for itself now: one after the other they would wait for each other's failures.
      if (landing === 'failed') return { type: 'miss', land: this.take(key) };
      if (typeof landing === 'object') return { type: 'hit', answer: landing };
      // Whoever made it left; the next one takes over, and the others go on waiting.
    }
    return undefined;
  }

  private take(key: string): (landing: Landing) => Promise<void> {
    const flight = Promise.withResolvers<Landing>();
    this.flights.set(key, flight.promise);
    return async (landing) => {
      if (typeof landing === 'object') await this.keep(key, landing);
      if (this.flights.get(key) === flight.promise) this.flights.delete(key);
      flight.resolve(landing);
    };
  }

  private async keep(key: string, answer: CachedAnswer): Promise<void> {
    const text = JSON.stringify(answer);
    if (text.length <= MAX_LENGTH) await this.store.set(key, text, this.times.ttlMs);
  }

  private async stored(key: string): Promise<CachedAnswer | undefined> {
    const text = await this.store.get(key);
    return text === undefined ? undefined : parse(text);
  }
}

/** Only we write under our keys, in this form; what an older version wrote in another one, or what broke, is a miss. */
function parse(text: string): CachedAnswer | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isCachedAnswer(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function isCachedAnswer(value: unknown): value is CachedAnswer {
  return (
    isObject(value) &&
    isObject(value['model']) &&
    isObject(value['usage']) &&
    isObject(value['completion']) &&
    Array.isArray(value['completion']['choices']) &&
    Array.isArray(value['ignored']) &&
    typeof value['finishReason'] === 'string'
  );
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

/** What the flight lands with; as if it had failed where that takes too long, and nothing where the signal aborts. */
async function within(
  waitMs: number,
  flight: Promise<Landing>,
  signal: AbortSignal,
): Promise<Landing | undefined> {
  const first = Promise.withResolvers<Landing | undefined>();
  const leave = (): void => {
    first.resolve(undefined);
  };
  const patience = setTimeout(() => {
    first.resolve('failed');
  }, waitMs);
  signal.addEventListener('abort', leave, { once: true });
  try {
    return await Promise.race([flight, first.promise]);
  } finally {
    clearTimeout(patience);
    signal.removeEventListener('abort', leave);
  }
}
