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

/** Support for media: known from a model, or unknown. */
export type MediaSupportLevel = 'supported' | 'unsupported' | 'unknown';

/** A model, and the key for querying it; undefined for the server's own. */
interface MediaQuery {
  readonly resolved: ResolvedModel;
  readonly apiKey: string | undefined;
}

/** Answer of a provider: true if the model supports the kind, undefined if unknown. */
interface Answer {
  readonly supported: boolean | undefined;
}

interface KindQuery {
  readonly query: MediaQuery;
  readonly kind: MediaKind;
}

/** Caches which models support images and PDFs. Concurrent callers share one request. */
export class MediaSupport {
  private readonly answers: LRUCache<string, Answer, KindQuery>;

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
          return { supported: await ask(context) };
        } catch {
          // An unavailable provider says nothing about its models.
          options.ttl = FAILURE_TTL_MS;
          return { supported: undefined };
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
    const supporting = await Promise.all(
      chain.map(async (resolved) => {
        const query = { resolved, apiKey: await keyFor(resolved.provider) };
        const answers = await Promise.all(Array.from(kinds, (kind) => this.isSupported(query, kind)));
        return answers.includes(false) ? [] : [resolved];
      }),
    );
    return supporting.flat();
  }

  /**
   * Returns `supported` if a model of a chain is known to support all of these kinds of media, and `unsupported` if
   * every model is known not to support one of them.
   */
  async supportLevel(
    chain: readonly ResolvedModel[],
    kinds: ReadonlySet<MediaKind>,
    keyFor: (provider: string) => Promise<string | undefined>,
  ): Promise<MediaSupportLevel> {
    const levels = await Promise.all(
      chain.map(async (resolved): Promise<MediaSupportLevel> => {
        const query = { resolved, apiKey: await keyFor(resolved.provider) };
        const answers = await Promise.all(Array.from(kinds, (kind) => this.isSupported(query, kind)));
        if (answers.includes(false)) return 'unsupported';
        return answers.includes(undefined) ? 'unknown' : 'supported';
      }),
    );
    return (['supported', 'unknown'] as const).find((level) => levels.includes(level)) ?? 'unsupported';
  }

  private async isSupported(query: MediaQuery, kind: MediaKind): Promise<boolean | undefined> {
    const { model, provider } = query.resolved;
    const key = JSON.stringify([provider, model, kind, keyScopeOf(query.apiKey)]);
    return (await this.answers.forceFetch(key, { context: { query, kind } })).supported;
  }
}

async function ask({
  query: {
    resolved: { modelProvider: source, model },
    apiKey,
  },
  kind,
}: KindQuery): Promise<boolean | undefined> {
  const asked = { model, signal: AbortSignal.timeout(ASK_MS), ...(apiKey !== undefined && { apiKey }) };
  return source.supportsMedia?.(kind, asked);
}
