import { once } from 'node:events';
import { describe, expect, it } from '@jest/globals';
import { Clock } from '../../common/clock.js';
import type { ResolvedModel } from '../models/model-directory.js';
import {
  type ListedModel,
  ModelProvider,
  ProviderError,
  type ProviderErrorKind,
  type ProviderEvent,
} from '../port/index.js';
import { FallbackPlan } from './fallback-plan.js';

class SilentProvider extends ModelProvider {
  override readonly id = 'silent';
  override readonly protocol = 'demo';

  override stream(): AsyncIterable<ProviderEvent> {
    throw new Error('not asked here');
  }

  override listModels(): Promise<readonly ListedModel[]> {
    return Promise.resolve([]);
  }
}

const source = new SilentProvider();

/** Waits for nothing, and records what it was asked for. */
class RecordingClock extends Clock {
  readonly waits: number[] = [];

  override wait(ms: number): Promise<void> {
    this.waits.push(ms);
    return Promise.resolve();
  }
}

/** Waits until the signal aborts, however long it was asked for. */
class EndlessClock extends Clock {
  override async wait(_ms: number, signal: AbortSignal): Promise<void> {
    if (!signal.aborted) await once(signal, 'abort');
  }
}

function plan(
  models: readonly string[],
  maxRetries: number,
  signal = new AbortController().signal,
  clock = new Clock(),
): FallbackPlan {
  const chain = models.map((model): ResolvedModel => ({
    modelProvider: source,
    provider: 'silent',
    model,
    name: `silent/${model}`,
  }));
  return new FallbackPlan(chain, maxRetries, signal, clock);
}

/** Creates a failure with no more delay than necessary. */
function failure(kind: ProviderErrorKind, retryAfterMs = 0): ProviderError {
  return new ProviderError(kind, 'No.', { retryAfterMs });
}

/** Returns the models that are called if all of them fail with this error. */
async function asked(of: FallbackPlan, error: ProviderError): Promise<(string | undefined)[]> {
  const models = [of.model?.model];
  while (await of.goOnAfter(error)) models.push(of.model?.model);
  return models;
}

describe('FallbackPlan', () => {
  it.each<[ProviderErrorKind, number, string[]]>([
    ['unavailable', 2, ['a', 'a', 'a', 'b', 'b', 'b']],
    ['rate_limited', 1, ['a', 'a', 'b', 'b']],
    ['broken_answer', 0, ['a', 'b']],
    ['timeout', 2, ['a', 'b']],
    ['context_length_exceeded', 2, ['a', 'b']],
    ['unauthorized', 2, ['a', 'b']],
    ['overloaded', 2, ['a', 'b']],
    ['rejected', 2, ['a']],
    ['content_policy_violation', 2, ['a']],
  ])('after %s, with %d retries, calls %j', async (kind, maxRetries, models) => {
    expect(await asked(plan(['a', 'b'], maxRetries), failure(kind))).toEqual(models);
  });

  it('has no model left at its end', async () => {
    const single = plan(['a'], 0);
    expect(await single.goOnAfter(failure('timeout'))).toBe(false);
    expect(single.model).toBeUndefined();
  });

  it('waits for the requested delay before it calls the same model again, but not before it calls another', async () => {
    const clock = new RecordingClock();
    const pair = plan(['a', 'b'], 1, undefined, clock);
    await pair.goOnAfter(failure('rate_limited', 80));
    expect([pair.model?.model, clock.waits]).toEqual(['a', [80]]);
    await pair.goOnAfter(failure('rate_limited', 80));
    expect([pair.model?.model, clock.waits]).toEqual(['b', [80]]);
  });

  it('does not wait for a delay that is too long', async () => {
    const clock = new RecordingClock();
    const pair = plan(['a', 'b'], 2, undefined, clock);
    await pair.goOnAfter(failure('rate_limited', 60_000));
    expect([pair.model?.model, clock.waits]).toEqual(['b', []]);
  });

  it('stops waiting if the caller cancels', async () => {
    const gone = new AbortController();
    const waiting = plan(['a'], 1, gone.signal, new EndlessClock()).goOnAfter(failure('rate_limited', 9_000));
    gone.abort();
    await waiting;
  });

  it.each<[ProviderErrorKind, boolean]>([
    ['broken_answer', true],
    ['timeout', true],
    ['rate_limited', true],
    ['content_policy_violation', false],
    ['rejected', false],
  ])('moves on after %s in the middle of an answer: %s', (kind, goesOn) => {
    const pair = plan(['a', 'b'], 2);
    expect(pair.moveOnAfter(failure(kind))).toBe(goesOn);
    expect(pair.model?.model).toBe(goesOn ? 'b' : 'a');
  });

  it('does not move on from the last model', () => {
    expect(plan(['a'], 2).moveOnAfter(failure('broken_answer'))).toBe(false);
  });
});
