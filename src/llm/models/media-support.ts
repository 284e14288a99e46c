import { LRUCache } from 'lru-cache';
import { keyScopeOf } from './key-scope.js';
import type { ResolvedModel } from './model-directory.js';
import type { MediaKind } from '../port/index.js';

/** Longest wait for a provider that has to be asked what its model reads, in milliseconds. */
const ASK_MS = 5_000;

/** How long an answer is believed, in milliseconds: as long as a list of models. */
const ANSWER_TTL_MS = 300_000;

/** How long a failed try to get an answer is remembered, in milliseconds. */
const FAILURE_TTL_MS = 5_000;

/** Most answers that are remembered. The least recently used go first, and are asked for again. */
const MAX_ANSWERS = 1_000;

/** A model, and the key with which it is asked; without one the server's own. */
interface Reader {
  readonly resolved: ResolvedModel;
  readonly apiKey: string | undefined;
}

/** Remembers which models read images and PDFs. Those who ask at the same time share one request. */
export class MediaSupport {
  private readonly answers: LRUCache<string, Promise<boolean | undefined>>;

  /** @param now milliseconds of a clock that never goes back */
  constructor(now: () => number = () => performance.now()) {
    this.answers = new LRUCache({ max: MAX_ANSWERS, perf: { now }, ttlResolution: 0 });
  }

  /**
   * The models of a chain that can be given all of these besides text, in the chain's order. What is not known counts
   * as yes: the model then says so itself.
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
    // Nothing is awaited between the look and `set`, so there is one request however many ask.
    const answer = ask(reader, kind).catch(() => {
      // A provider that is away says nothing of what its models can do. Only the time is new: the promise is the same.
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
