import { LRUCache } from 'lru-cache';
import { ProviderError, type ProviderEvent } from '../port/index.js';
import { REFUSED_PARAMETER } from '../port/refused-parameter.js';

/** Lifetime of a learned adjustment, in milliseconds, and maximum number of models in memory. */
const LEARNED = { ttl: 3_600_000, max: 1_000 };

/** Changes of a request to what this server itself chose. */
export interface Adjustments {
  /** True to omit the default temperature. */
  readonly withoutTemperature?: true;
  /** The token limit to send instead of the provider's default. */
  readonly maxTokens?: number;
}

/** A request, and what this server chose in it. */
export interface AdjustableRequest {
  /** True if the request contains a default temperature. */
  readonly ownTemperature: boolean;
  /** The token limit, if it is the provider's default. */
  readonly ownMaxTokens?: number | undefined;
  readonly send: () => AsyncIterable<ProviderEvent>;
}

/**
 * Repeats a request that a host refused because of something that the caller did not send, within the same
 * attempt and before the answer begins. Remembers for each model what led to an answer.
 */
export class AdjustedStreams {
  private readonly learned = new LRUCache<string, Adjustments>(LEARNED);

  /**
   * Sends a request with the adjustments known for the model, and repeats it with those that the host's
   * refusals call for, each at most once.
   * @throws ProviderError
   */
  async *stream(
    model: string,
    draft: (adjustments: Adjustments) => AdjustableRequest,
  ): AsyncGenerator<ProviderEvent> {
    const known = this.learned.get(model) ?? {};
    let made: Adjustments = {};
    for (;;) {
      const request = draft({ ...known, ...made });
      let hasEvents = false;
      try {
        for await (const event of request.send()) {
          if (!hasEvents) this.learn(model, made);
          hasEvents = true;
          yield event;
        }
        return;
      } catch (error) {
        const next = hasEvents ? undefined : adjustmentAfter(error, request);
        if (next === undefined || Object.keys(next).some((name) => name in made)) throw error;
        made = { ...made, ...next };
      }
    }
  }

  private learn(model: string, made: Adjustments): void {
    if (Object.keys(made).length > 0) this.learned.set(model, { ...this.learned.get(model), ...made });
  }
}

/** Returns the adjustment that fixes a refusal, or undefined. */
function adjustmentAfter(
  error: unknown,
  { ownTemperature, ownMaxTokens }: AdjustableRequest,
): Adjustments | undefined {
  // An error inside a stream has no status, and counts as a broken answer unless its type says more.
  if (!(error instanceof ProviderError)) return undefined;
  if (error.kind !== 'rejected' && error.kind !== 'broken_answer') return undefined;
  if (ownTemperature && /\btemperature\b/i.test(error.message) && REFUSED_PARAMETER.test(error.message)) {
    return { withoutTemperature: true };
  }
  const maxTokens = ownMaxTokens === undefined ? undefined : maximumIn(error.message, ownMaxTokens);
  return maxTokens === undefined ? undefined : { maxTokens };
}

/**
 * Returns the token limit that a host allows, from its refusal of a larger one: "max_tokens: 32000 > 4096, which
 * is the maximum allowed number of output tokens for …", "The maximum tokens you requested exceeds the model
 * limit of 4096", "max_tokens must be in [1, 8192]".
 */
function maximumIn(sentence: string, sent: number): number | undefined {
  if (!/\bmax(?:imum)?[ _](?:output[ _])?tokens\b/i.test(sentence)) return undefined;
  // Numbers inside names, such as those of models, do not count. A smaller maximum is no useful limit.
  const numbers = Array.from(sentence.matchAll(/(?<![\w.-])\d[\d,]*(?![\w-]|\.\w)/g), ([text]) =>
    Number(text.replaceAll(',', '')),
  ).filter((number) => number >= MIN_MAXIMUM && number < sent);
  return numbers.length === 0 ? undefined : Math.max(...numbers);
}

/** Smallest maximum that is recognized, in tokens: above every HTTP status. */
const MIN_MAXIMUM = 600;
