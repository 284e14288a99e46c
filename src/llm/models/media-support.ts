import { LRUCache } from 'lru-cache';
import { keyScopeOf } from './key-scope.js';
import type { ResolvedModel } from './model-directory.js';
import type { MediaKind } from '../port/index.js';

/** Maximum wait for a provider to report what its model supports, in milliseconds. */
const ASK_MS = 5_000;

/** Lifetime of a cached answer, in milliseconds: the same as that of a list of models. */
const ANSWER_TTL_MS = 300_000;

/** Lifetime of a cached failure, in milliseconds. */
const FAILURE_TTL_MS = 5_000;

/**
 * Maximum number of cached answers. The least recently used are evicted first, and queried again when needed.
 */
const MAX_ANSWERS = 1_000;

/** A model, and the key for querying it; undefined for the server's own. */
interface Reader {
  readonly resolved: ResolvedModel;
  readonly apiKey: string | undefined;
}

/** Caches which models support images and PDFs. Concurrent callers share one request. */
export class MediaSupport {
  private readonly answers: LRUCache<string, Promise<boolean | undefined>>;

  /** @param now returns milliseconds of a monotonic clock */
  constructor(now: () => number = () => performance.now()) {
    this.answers = new LRUCache({ max: MAX_ANSWERS, perf: { now }, ttlResolution: 0 });
  }

  /**
   * Returns the models of a chain that support all of these kinds of media, in the chain's order. Unknown
   * counts as supported: the model then refuses by itself.
   */
  async among(
    chain: readonly ResolvedModel[],
    kinds: ReadonlySet<MediaKind>,
    keyFor: (provider: string) => Promise<string | undefined>,
  ): Promise<readonly ResolvedModel[]> {
    const reading = await Promise.all(
      chain.map(async (resolved) => {
        const reader = { resolved, apiKey: await keyFor(resolved.provider) };
        const answers = await Promise.all(Array.from(kinds, (kind) => this.reads(reader, kind)));
        return answers.includes(false) ? [] : [resolved];
      }),
    );
    return reading.flat();
  }

  private reads(reader: Reader, kind: MediaKind): Promise<boolean | undefined> {
    const { model, provider } = reader.resolved;
    const key = JSON.stringify([provider, model, kind, keyScopeOf(reader.apiKey)]);
    const known = this.answers.get(key);
    if (known !== undefined) return known;
    // There is no await between the lookup and `set`, so there is one request for any number of concurrent
    // callers.
    const answer = ask(reader, kind).catch(() => {
      // An unreachable provider says nothing about its models. Cache the same promise, but for a shorter time.
      if (this.answers.peek(key) === answer) this.answers.set(key, answer, { ttl: FAILURE_TTL_MS });
      return undefined;
    });
    this.answers.set(key, answer, { ttl: ANSWER_TTL_MS });
    return answer;
  }
}

async function ask(
  { resolved: { source, model }, apiKey }: Reader,
  kind: MediaKind,
): Promise<boolean | undefined> {
  const asked = { model, signal: AbortSignal.timeout(ASK_MS), ...(apiKey !== undefined && { apiKey }) };
  return source.reads?.(kind, asked);
}
