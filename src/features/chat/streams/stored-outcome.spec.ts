import { describe, expect, it } from '@jest/globals';
import type { StoredAnswer } from '../messages/answer.repository.js';
import { storedAnswer } from '../../../../test/support/stored-answer.js';
import { toStoredOutcome } from './stored-outcome.js';

const CREATED = new Date('2026-01-01T00:00:00Z');
const COMPLETED = new Date('2026-01-01T00:00:05Z');

const ROW = storedAnswer({ createdAt: CREATED });
const outcomeOf = (row: Partial<StoredAnswer>) => toStoredOutcome({ ...ROW, ...row }, ROW);

describe('toStoredOutcome', () => {
  it('returns nothing while the answer is being generated', () => {
    expect(outcomeOf({})).toBeUndefined();
  });

  it('returns the calls, figures and times of a complete answer', () => {
    const calls = [
      { id: 'a', type: 'function', function: { name: 'f', arguments: '{}' } },
      { id: 'b', type: 'function', function: { name: 7, arguments: '{}' } },
      { id: 'c', type: 'function' },
      null,
    ];
    const tokens = {
      inputTokens: 5,
      outputTokens: 4,
      cachedTokens: 3,
      cacheWriteTokens: 2,
      reasoningTokens: 1,
    };
    const rest = { costMicroUsd: 7n, warning: 'cut', cached: true, completedAt: COMPLETED };
    expect(
      outcomeOf({ status: 'complete', finishReason: 'tool_calls', toolCalls: calls, ...tokens, ...rest }),
    ).toEqual({
      status: 'complete',
      text: 'Hello',
      calls: [{ id: 'a', name: 'f', arguments: '{}' }],
      model: 'demo/echo',
      finishReason: 'tool_calls',
      usage: tokens,
      ...rest,
    });
  });

  it('fills in figures that an answer stored by an earlier version lacks', () => {
    expect(outcomeOf({ status: 'complete', model: null })).toMatchObject({
      model: '',
      finishReason: 'stop',
      usage: { inputTokens: 0, outputTokens: 0, cachedTokens: 0, cacheWriteTokens: 0, reasoningTokens: 0 },
      completedAt: CREATED,
    });
  });

  it('returns an error for an interrupted answer, unless its user stopped it', () => {
    expect(outcomeOf({ status: 'interrupted' })).toMatchObject({
      status: 'interrupted',
      text: 'Hello',
      error: { code: 'service_unavailable' },
    });
    expect(outcomeOf({ status: 'interrupted', finishReason: 'stopped' })).toMatchObject({
      status: 'stopped',
      finishReason: 'stopped',
    });
  });

  it('returns what is known of an answer whose conversation was deleted', () => {
    expect(toStoredOutcome(null, ROW)).toMatchObject({
      status: 'interrupted',
      text: 'Hello',
      model: 'demo/echo',
      error: { code: 'service_unavailable' },
    });
  });

  it.each([
    ['provider_timeout', 'Too late.', 'provider_timeout', 'Too late.'],
    ['code_of_an_earlier_version', 'Too late.', 'internal_error', 'Too late.'],
    [null, null, 'internal_error', 'The answer failed.'],
  ])(
    'reports a failure with the code %s and the message %s as %s: %s',
    (errorCode, errorMessage, code, message) => {
      expect(outcomeOf({ status: 'failed', errorCode, errorMessage })).toMatchObject({
        status: 'failed',
        error: { code, message, retryable: false },
      });
    },
  );
});
