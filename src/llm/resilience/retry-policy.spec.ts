import { describe, expect, it } from '@jest/globals';
import { ProviderError, type ProviderErrorKind } from '../port/index.js';
import { nextAction, type RetryAction } from './retry-policy.js';

describe('nextAction', () => {
  it.each<[ProviderErrorKind, RetryAction, RetryAction]>([
    ['rejected', 'give_up', 'give_up'],
    ['content_policy_violation', 'give_up', 'give_up'],
    ['context_length_exceeded', 'next', 'next'],
    ['unauthorized', 'next', 'next'],
    ['model_not_found', 'next', 'next'],
    ['rate_limited', 'retry', 'next'],
    ['quota_exhausted', 'next', 'next'],
    ['timeout', 'next', 'next'],
    ['timed_out', 'retry', 'next'],
    ['unreachable', 'retry', 'next'],
    ['unavailable', 'retry', 'next'],
    ['broken_answer', 'retry', 'next'],
    ['unreadable_answer', 'next', 'next'],
    ['overloaded', 'next', 'next'],
    ['circuit_open', 'next', 'next'],
  ])('for %s: returns %s if retries are left, %s if none are', (kind, withTries, without) => {
    const error = new ProviderError(kind, 'No.');
    expect(nextAction(error, 1)).toBe(withTries);
    expect(nextAction(error, 0)).toBe(without);
  });

  it.each<[number, RetryAction]>([
    [0, 'retry'],
    [10_000, 'retry'],
    [10_001, 'next'],
    [60_000, 'next'],
  ])('for a Retry-After of %d ms: returns %s', (retryAfterMs, decision) => {
    expect(nextAction(new ProviderError('rate_limited', 'Later.', { retryAfterMs }), 1)).toBe(decision);
    expect(nextAction(new ProviderError('unavailable', 'Later.', { retryAfterMs }), 1)).toBe(decision);
    expect(nextAction(new ProviderError('rejected', 'No.', { retryAfterMs }), 1)).toBe('give_up');
  });
});
