import type { SharedCache } from '../../infra/cache/index.js';
import type { CachedAnswer } from './cached-answer.js';

/** Maximum length of a cached answer, in UTF-16 code units of its JSON. */
const MAX_LENGTH = 1_000_000;

/**
 * Outcome of an answer in progress that others wait for: the answer, a failure or uncacheable answer, or an
 * aborted call.
 */
export type FlightOutcome = CachedAnswer | 'failed' | 'left';

/** Result of a lookup: the cached answer, or the obligation to generate it. */
export type CacheLookup =
  | { readonly type: 'hit'; readonly answer: CachedAnswer }
  /** There is no answer to return. `land` must be called once. */
  | { readonly type: 'miss'; readonly land: (landing: FlightOutcome) => Promise<void> };

/**
 * Cached answers, and answers in progress. Equal concurrent calls within one process result in a single call of
 * a model.
 */
export class AnswerCache {
  private readonly flights = new Map<string, Promise<FlightOutcome>>();

  constructor(
    private readonly store: SharedCache,
    /** Lifetime of a cached answer, and maximum wait for an answer in progress, in milliseconds. */
    private readonly times: { readonly ttlMs: number; readonly waitMs: number },
  ) {}

  /**
   * Looks up an answer. Waits for one that is in progress, but only for a limited time: the client that it is
   * generated for may read slowly.
   * @returns undefined if the signal aborted first
   */
  async findCachedAnswer(key: string, signal: AbortSignal): Promise<CacheLookup | undefined> {
    while (!signal.aborted) {
      const stored = await this.stored(key);
      if (stored !== undefined) return { type: 'hit', answer: stored };
      const flight = this.flights.get(key);
      // There is no await between this check and the entry that `take` adds, so only one of two calls becomes
      // the generator.
      if (flight === undefined) return { type: 'miss', land: this.take(key) };
      const landing = await within(this.times.waitMs, flight, signal);
      // After a failure every waiting call runs on its own: taking turns, they would wait for each other's
      // failures.
      if (landing === 'failed') return { type: 'miss', land: this.take(key) };
      if (typeof landing === 'object') return { type: 'hit', answer: landing };
      // The generating call was aborted: the next one takes over, and the others keep waiting.
    }
    return undefined;
  }

  private take(key: string): (landing: FlightOutcome) => Promise<void> {
    const flight = Promise.withResolvers<FlightOutcome>();
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

/**
 * Parses a cached answer. Only this class writes under these keys, in this form; an entry of an older version
 * in another form, or a corrupt one, is a miss.
 */
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

/**
 * Waits for the outcome of an answer in progress. A timeout counts as a failure; returns undefined if the
 * signal aborts.
 */
async function within(
  waitMs: number,
  flight: Promise<FlightOutcome>,
  signal: AbortSignal,
): Promise<FlightOutcome | undefined> {
  const first = Promise.withResolvers<FlightOutcome | undefined>();
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
