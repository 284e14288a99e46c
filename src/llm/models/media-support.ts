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

/** Answer of a provider: whether the model reads the kind, undefined if nobody knows. */
interface Answer {
  readonly reads: boolean | undefined;
}

interface Question {
  readonly reader: Reader;
  readonly kind: MediaKind;
}

/** Remembers which models read images and PDFs. Those who ask at the same time share one request. */
export class MediaSupport {
  private readonly answers: LRUCache<string, Answer, Question>;

  /** @param now milliseconds of a clock that never goes back */
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
          // A provider that is away says nothing of what its models can do.
          options.ttl = FAILURE_TTL_MS;
          return { reads: undefined };
        }
      },
    });
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

  private async reads(reader: Reader, kind: MediaKind): Promise<boolean | undefined> {
    const { model, provider } = reader.resolved;
    const key = JSON.stringify([provider, model, kind, keyScopeOf(reader.apiKey)]);
    return (await this.answers.forceFetch(key, { context: { reader, kind } })).reads;
  }
}

async function ask({
  reader: {
    resolved: { source, model },
    apiKey,
  },
  kind,
}: Question): Promise<boolean | undefined> {
  const asked = { model, signal: AbortSignal.timeout(ASK_MS), ...(apiKey !== undefined && { apiKey }) };
  return source.reads?.(kind, asked);
}
