import { describe, expect, it } from '@jest/globals';
import { AppError, ERROR_CODES, type ErrorCode } from '../../../common/errors.js';
import { decideFailure } from './item-failure.js';

const decide = (code: ErrorCode, attempts: number) =>
  decideFailure(new AppError(code, 'It failed.'), attempts);

describe('after a failed call', () => {
  it.each(['provider_rate_limited', 'provider_unavailable', 'overloaded'] as const)(
    'the provider pauses and the attempt does not count if it was %s',
    (code) => {
      expect(decide(code, 99)).toEqual({ type: 'retry', givenBack: true, pause: 'lane' });
    },
  );

  it('the batch pauses if the quota is used up', () => {
    expect(decide('quota_exceeded', 99)).toEqual({ type: 'retry', givenBack: true, pause: 'batch' });
  });

  it('the account pauses if its limits refuse the call', () => {
    expect(decide('rate_limit_exceeded', 99)).toEqual({ type: 'retry', givenBack: true, pause: 'owner' });
  });

  it('a request that alone exceeds the limit per minute fails, because it would wait forever', () => {
    const error = new AppError('rate_limit_exceeded', 'It is too large.', { retryable: false });
    expect(decideFailure(error, 1)).toEqual({ type: 'fail' });
  });

  it.each(['provider_timeout', 'provider_error', 'internal_error'] as const)(
    'the request is sent three times at most if it was %s',
    (code) => {
      expect(decide(code, 2)).toEqual({ type: 'retry', givenBack: false, pause: 'none' });
      expect(decide(code, 3)).toEqual({ type: 'fail' });
    },
  );

  it('every other failure is the result, because an equal request would fail again', () => {
    const results = ERROR_CODES.filter((code) => decide(code, 1).type === 'fail');
    expect(results).toContain('invalid_request');
    expect(results).toContain('model_not_found');
    expect(results).toContain('context_length_exceeded');
    expect(results).toContain('price_unknown');
    expect(results).not.toContain('service_unavailable');
  });
});
