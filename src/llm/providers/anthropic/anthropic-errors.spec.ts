import { describe, expect, it } from '@jest/globals';
import { APIConnectionError, APIError } from '@anthropic-ai/sdk';
import { ProviderError } from '../../port/index.js';
import { EventStreamError } from '../../../common/event-stream.js';
import { BrokenBodyError } from '../../transport/broken-body.js';
import { toAnthropicError, toAnthropicStreamError } from './anthropic-errors.js';

const bodyOf = (type: string, message: string): object => ({ type: 'error', error: { type, message } });

const answered = (
  status: number,
  body: object | undefined,
  headers: Record<string, string> = {},
): ProviderError => toAnthropicError(APIError.generate(status, body, undefined, new Headers(headers)));

describe('toAnthropicError', () => {
  it.each([
    [400, 'invalid_request_error', 'max_tokens: Field required', 'rejected'],
    [
      400,
      'invalid_request_error',
      'prompt is too long: 210000 tokens > 200000 maximum',
      'context_length_exceeded',
    ],
    [
      400,
      'invalid_request_error',
      'input length and `max_tokens` exceed context limit: 199211 + 20000 > 200000',
      'context_length_exceeded',
    ],
    [400, 'invalid_request_error', 'Output blocked by content filtering policy', 'content_policy_violation'],
    [
      400,
      'invalid_request_error',
      'Your credit balance is too low to access the Anthropic API.',
      'quota_exhausted',
    ],
    [400, 'invalid_request_error', 'You have reached your specified API usage limits.', 'quota_exhausted'],
    [401, 'authentication_error', 'invalid x-api-key', 'unauthorized'],
    [402, 'billing_error', 'Pay.', 'quota_exhausted'],
    [403, 'permission_error', 'No.', 'unauthorized'],
    [404, 'not_found_error', 'model: claude-9', 'model_not_found'],
    [408, 'timeout_error', 'Late.', 'timed_out'],
    [413, 'request_too_large', 'Big.', 'rejected'],
    [429, 'rate_limit_error', 'Slow down.', 'rate_limited'],
    [500, 'api_error', 'Internal server error', 'broken_answer'],
    [503, 'api_error', 'Down.', 'unavailable'],
    [504, 'timeout_error', 'Late.', 'timed_out'],
    [529, 'overloaded_error', 'Overloaded', 'unavailable'],
    [400, 'constructor', 'A type that Anthropic does not document.', 'rejected'],
  ])('classifies %i %s (%s) as %s', (status, type, message, kind) => {
    const error = answered(status, bodyOf(type, message));
    expect([error.kind, error.message]).toEqual([kind, message]);
  });

  it('falls back to the status if there is no body', () => {
    expect(answered(529, undefined)).toMatchObject({
      kind: 'unavailable',
      message: 'The provider responded with status 529.',
    });
  });

  it('reads the delay before the next attempt', () => {
    const body = bodyOf('rate_limit_error', 'Slow down.');
    expect(answered(429, body, { 'retry-after': '7' }).retryAfterMs).toBe(7000);
    expect(answered(429, body, { 'retry-after-ms': '20', 'retry-after': '7' }).retryAfterMs).toBe(20);
    expect(answered(429, body).retryAfterMs).toBeUndefined();
  });

  it('shortens long reasons', () => {
    expect(answered(400, bodyOf('invalid_request_error', 'x'.repeat(1000))).message).toHaveLength(501);
  });

  it('classifies a failure without a response', () => {
    expect(toAnthropicError(new APIConnectionError({})).kind).toBe('unreachable');
    expect(toAnthropicError(new BrokenBodyError(new Error('terminated'))).kind).toBe('broken_answer');
    expect(toAnthropicError(new EventStreamError('Too large.')).kind).toBe('unreadable_answer');
    const ours = new TypeError('undefined is not an object');
    expect(() => toAnthropicError(ours)).toThrow(ours);
    const own = new ProviderError('rejected', 'No.');
    expect(toAnthropicError(own)).toBe(own);
  });
});

describe('toAnthropicStreamError', () => {
  it.each([
    ['overloaded_error', 'Overloaded', 'unavailable'],
    ['rate_limit_error', 'Slow down.', 'rate_limited'],
    ['invalid_request_error', 'No.', 'rejected'],
    ['invalid_request_error', 'prompt is too long: 5 tokens > 4 maximum', 'context_length_exceeded'],
    ['api_error', 'Output blocked by content filtering policy', 'content_policy_violation'],
    ['api_error', 'Internal server error', 'broken_answer'],
    ['timeout_error', 'Request timed out', 'timed_out'],
    ['authentication_error', 'No.', 'unauthorized'],
    ['permission_error', 'No.', 'unauthorized'],
    ['not_found_error', 'model: claude-9', 'model_not_found'],
    ['of_tomorrow', 'No.', 'broken_answer'],
  ])('classifies %s (%s) as %s', (type, message, kind) => {
    const error = toAnthropicStreamError(bodyOf(type, message));
    expect([error.kind, error.message]).toEqual([kind, message]);
  });

  it('classifies an event without an error as a broken answer', () => {
    expect(toAnthropicStreamError({ type: 'error' }).kind).toBe('broken_answer');
  });
});
