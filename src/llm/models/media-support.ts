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
interface MediaQuery {
  readonly resolved: ResolvedModel;
  readonly apiKey: string | undefined;
}

/** Answer of a provider: true if the model supports the kind, undefined if unknown. */
interface Answer {
  readonly reads: boolean | undefined;
}

interface Question {
  readonly reader: MediaQuery;
  readonly kind: MediaKind;
}

/** Caches which models support images and PDFs. Concurrent callers share one request. */
export class MediaSupport {
  private readonly answers: LRUCache<string, Answer, Question>;

  /** @param now returns milliseconds of a monotonic clock */
  constructor(now: () => number = () => performance.now()) {
    this.answers = new LRUCache({
      max: MAX_ANSWERS,
      ttl: ANSWER_TTL_MS,
      perf: { now },
      ttlResolution: 0,
      // Callers that wait for an answer which is evicted meanwhile still need it.
      ignoreFetchAbort: true,
      fetchMethod: async (_key, _stale, { options, context }) => {
        try {
          return { reads: await ask(context) };
        } catch {
          // An unavailable provider says nothing about its models.
          options.ttl = FAILURE_TTL_MS;
          return { reads: undefined };
        }
      },
    });
  }

  /**
   * Returns the models of a chain that support all of these kinds of media, in the chain's order. Unknown
   * counts as supported: the model then refuses by itself.
   */
  async modelsSupporting(
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

  private async reads(reader: MediaQuery, kind: MediaKind): Promise<boolean | undefined> {
    const { model, provider } = reader.resolved;
    const key = JSON.stringify([provider, model, kind, keyScopeOf(reader.apiKey)]);
    return (await this.answers.forceFetch(key, { context: { reader, kind } })).reads;
  }
}

async function ask({
  reader: {
    resolved: { modelProvider: source, model },
    apiKey,
  },
  kind,
}: Question): Promise<boolean | undefined> {
  const asked = { model, signal: AbortSignal.timeout(ASK_MS), ...(apiKey !== undefined && { apiKey }) };
  return source.supportsMedia?.(kind, asked);
}
