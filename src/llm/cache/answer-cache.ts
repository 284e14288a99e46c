import type { SharedCache } from '../../infra/cache/index.js';
import { type CachedAnswer, keyPrefixOf } from './cached-answer.js';

/** Longest answer that is kept, in UTF-16 units of its JSON. */
const MAX_LENGTH = 1_000_000;

/** What a call finds: an answer that is there, or the duty to make it. */
export type Found =
  | { readonly type: 'hit'; readonly answer: CachedAnswer }
  /** Nobody has it and nobody else makes it. `land` must be called, once, with the answer or without one. */
  | { readonly type: 'miss'; readonly land: (answer: CachedAnswer | undefined) => Promise<void> };

/** Answers that were asked for before, and those that are being made. Equal calls at once in one process ask a model once. */
export class AnswerCache {
  private readonly flights = new Map<string, Promise<CachedAnswer | undefined>>();

  constructor(
    private readonly store: SharedCache,
    private readonly ttlMs: number,
  ) {}

  /**
   * The answer of a key, waiting for one that is being made.
   * @returns undefined where the signal aborted first
   */
  async find(key: string, signal: AbortSignal): Promise<Found | undefined> {
    while (!signal.aborted) {
      const stored = await this.stored(key);
      if (stored !== undefined) return { type: 'hit', answer: stored };
      const flight = this.flights.get(key);
      // Between this look and the entry that `take` makes nothing else runs, so only one of two becomes the maker.
      if (flight === undefined) return { type: 'miss', land: this.take(key) };
      const made = await unlessAborted(flight, signal);
      if (made !== undefined) return { type: 'hit', answer: made };
      // Whoever made it left or failed; the next one takes over.
    }
    return undefined;
  }

  /** Forgets everything of an account that asks no more. What is being made for it here ends first, so that it is not kept after this. */
  async removeAllOf(userId: string): Promise<void> {
    const prefix = keyPrefixOf(userId);
    const theirs = [...this.flights].filter(([key]) => key.startsWith(prefix));
    await Promise.all(theirs.map(([, made]) => made));
    await this.store.removeAll(prefix);
  }

  private take(key: string): (answer: CachedAnswer | undefined) => Promise<void> {
    const flight = Promise.withResolvers<CachedAnswer | undefined>();
    this.flights.set(key, flight.promise);
    return async (answer) => {
      if (answer !== undefined) await this.keep(key, answer);
      this.flights.delete(key);
      flight.resolve(answer);
    };
  }

  private async keep(key: string, answer: CachedAnswer): Promise<void> {
    const text = JSON.stringify(answer);
    if (text.length <= MAX_LENGTH) await this.store.set(key, text, this.ttlMs);
  }

  private async stored(key: string): Promise<CachedAnswer | undefined> {
    const text = await this.store.get(key);
    return text === undefined ? undefined : parse(text);
  }
}

/** Only we write under our keys, in this form; what an older version wrote in another one is a miss. */
function parse(text: string): CachedAnswer | undefined {
  const value: unknown = JSON.parse(text);
  return isCachedAnswer(value) ? value : undefined;
}

function isCachedAnswer(value: unknown): value is CachedAnswer {
  return (
    typeof value === 'object' &&
    value !== null &&
    ['model', 'ignored', 'completion', 'finishReason', 'usage'].every((name) => name in value)
  );
}

async function unlessAborted<Value>(wanted: Promise<Value>, signal: AbortSignal): Promise<Value | undefined> {
  const aborted = Promise.withResolvers<undefined>();
  const leave = (): void => {
    aborted.resolve(undefined);
  };
  signal.addEventListener('abort', leave, { once: true });
  try {
    return await Promise.race([wanted, aborted.promise]);
  } finally {
    signal.removeEventListener('abort', leave);
  }
}
