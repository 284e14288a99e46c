import { describe, expect, it } from '@jest/globals';
import { ProviderError, type ProviderErrorKind, type ProviderEvent } from '../port/index.js';
import { type AdjustableRequest, type Adjustments, AdjustedStreams } from './adjusted-streams.js';

const EVENT: ProviderEvent = { type: 'skipped', reason: 'x' };
const NO_TEMPERATURE = '`temperature` is deprecated for this model.';

interface Host {
  /** Returns the message of the refusal of a request, or undefined. */
  readonly refuses: (adjustments: Adjustments) => string | undefined;
  readonly kind?: ProviderErrorKind;
  /** True if the host fails only after the answer has begun. */
  readonly late?: boolean;
  readonly own?: Omit<AdjustableRequest, 'send'>;
}

/** Asks a host, and returns the adjustments of each request and the error. */
async function ask(
  { refuses, kind = 'rejected', late = false, own = { ownTemperature: true, ownMaxTokens: 32_000 } }: Host,
  streams = new AdjustedStreams(),
): Promise<{ requests: Adjustments[]; error: unknown }> {
  const requests: Adjustments[] = [];
  const draft = (adjustments: Adjustments): AdjustableRequest => ({
    ...own,
    send: async function* () {
      requests.push(adjustments);
      if (late) yield EVENT;
      const message = refuses(adjustments);
      if (message !== undefined) throw new ProviderError(kind, message);
      yield EVENT;
    },
  });
  try {
    for await (const event of streams.stream('m', draft)) expect(event).toBe(EVENT);
    return { requests, error: undefined };
  } catch (error) {
    return { requests, error };
  }
}

const withoutTemperature: Host['refuses'] = (made) => (made.withoutTemperature ? undefined : NO_TEMPERATURE);

describe('AdjustedStreams', () => {
  it.each<[string, number]>([
    ['max_tokens: 32000 > 4096, which is the maximum allowed number of output tokens for claude-3-5', 4096],
    ['The maximum tokens you requested exceeds the model limit of 8192. Use fewer than 8192.', 8192],
    ['Range of max_tokens should be [1, 8192]', 8192],
    ['400: max_tokens is too large: 32000. This model supports at most 16,384 output tokens.', 16_384],
  ])('repeats a request with the maximum in: %s', async (message, maxTokens) => {
    const { requests, error } = await ask({ refuses: (made) => (made.maxTokens ? undefined : message) });
    expect([requests, error]).toEqual([[{}, { maxTokens }], undefined]);
  });

  it('makes several adjustments, and remembers what led to an answer', async () => {
    const streams = new AdjustedStreams();
    const refuses: Host['refuses'] = (made) =>
      withoutTemperature(made) ?? (made.maxTokens ? undefined : 'max_tokens: 32000 > 4096');
    const all = { withoutTemperature: true, maxTokens: 4096 };
    const first = await ask({ refuses }, streams);
    expect(first).toEqual({ requests: [{}, { withoutTemperature: true }, all], error: undefined });
    expect((await ask({ refuses }, streams)).requests).toEqual([all]);
  });

  it('makes each adjustment once, and remembers none that did not help', async () => {
    const streams = new AdjustedStreams();
    const first = await ask({ refuses: () => NO_TEMPERATURE }, streams);
    expect(first.requests).toHaveLength(2);
    expect(first.error).toMatchObject({ kind: 'rejected', message: NO_TEMPERATURE });
    expect((await ask({ refuses: () => undefined }, streams)).requests).toEqual([{}]);
  });

  it('repeats a request that was refused inside a stream', async () => {
    const { requests, error } = await ask({ refuses: withoutTemperature, kind: 'broken_answer' });
    expect([requests.length, error]).toEqual([2, undefined]);
  });

  it.each<[string, Host]>([
    ['the caller chose the value', { refuses: withoutTemperature, own: { ownTemperature: false } }],
    ['the caller chose the limit', { refuses: () => 'max_tokens: 9 > 1000', own: { ownTemperature: true } }],
    ['the answer has begun', { refuses: withoutTemperature, late: true }],
    ['the failure is no refusal', { refuses: withoutTemperature, kind: 'rate_limited' }],
    ['the refusal names something else', { refuses: () => 'seed is not supported' }],
    ['the refusal has no maximum', { refuses: () => 'max_tokens of claude-3-4096 is wrong: 32000' }],
  ])('does not repeat a request if %s', async (_what, host) => {
    const { requests, error } = await ask(host);
    expect(requests).toHaveLength(1);
    expect(error).toBeInstanceOf(ProviderError);
  });
});
