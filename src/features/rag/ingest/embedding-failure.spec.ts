import { describe, expect, it } from '@jest/globals';
import { AppError, type ErrorCode } from '../../../common/errors.js';
import { endAfterFailure, MAX_INGESTION_ATTEMPTS } from './embedding-failure.js';

const USAGE = { callId: 'call', attempts: [] };

function endAfter(
  code: ErrorCode,
  {
    attempts = 1,
    ageSeconds = 0,
    retryAfterMs,
  }: { attempts?: number; ageSeconds?: number; retryAfterMs?: number } = {},
) {
  const error = new AppError(code, 'Sentence.', retryAfterMs === undefined ? {} : { retryAfterMs });
  return endAfterFailure(error, { attempts, ageSeconds }, USAGE);
}

describe('an ingestion whose request for embeddings failed', () => {
  it('waits for a limit as long as it asks for, within bounds, and uses no attempt', () => {
    for (const code of ['provider_rate_limited', 'rate_limit_exceeded', 'quota_exceeded'] as const) {
      const wait = (retryAfterMs: number) =>
        endAfter(code, { retryAfterMs, attempts: MAX_INGESTION_ATTEMPTS });
      expect(wait(30_000)).toMatchObject({ type: 'released', waitSeconds: 30, counted: false, usage: USAGE });
      expect(wait(1)).toMatchObject({ waitSeconds: 5 });
      expect(wait(86_400_000)).toMatchObject({ waitSeconds: 3_600 });
    }
  });

  it('fails if waiting does not help: its smallest request is above a limit, or no limit has let it pass for a month', () => {
    expect(endAfter('rate_limit_exceeded')).toMatchObject({
      type: 'failed',
      fault: { code: 'rate_limit_exceeded' },
    });
    expect(endAfter('provider_rate_limited')).toMatchObject({ type: 'released' });
    for (const code of ['provider_rate_limited', 'quota_exceeded'] as const) {
      expect(endAfter(code, { ageSeconds: 31 * 86_400 })).toMatchObject({ type: 'released' });
      expect(endAfter(code, { ageSeconds: 33 * 86_400 })).toMatchObject({ type: 'failed', fault: { code } });
    }
  });

  it('waits a day for a provider that is away, at most a minute at a time', () => {
    for (const code of [
      'provider_unavailable',
      'provider_timeout',
      'overloaded',
      'service_unavailable',
    ] as const) {
      expect(endAfter(code)).toMatchObject({ type: 'released', waitSeconds: 2, counted: false });
      expect(endAfter(code, { ageSeconds: 300, attempts: MAX_INGESTION_ATTEMPTS })).toMatchObject({
        type: 'released',
        waitSeconds: 60,
        counted: false,
      });
      expect(endAfter(code, { ageSeconds: 86_401 })).toMatchObject({ type: 'failed', fault: { code } });
    }
  });

  it('is attempted again with growing delays after other failures, and then fails with the sentence', () => {
    expect(endAfter('provider_error')).toMatchObject({ type: 'released', waitSeconds: 15, counted: true });
    expect(endAfter('provider_error', { attempts: 3 })).toMatchObject({ waitSeconds: 240, counted: true });
    expect(endAfter('provider_error', { attempts: MAX_INGESTION_ATTEMPTS })).toEqual({
      type: 'failed',
      fault: { code: 'provider_error', message: 'Sentence.' },
      usage: USAGE,
    });
  });

  it('fails at once if no repetition can help', () => {
    expect(endAfter('model_not_found')).toMatchObject({ type: 'failed', fault: { code: 'model_not_found' } });
  });

  it('does not show the message of an unexpected error', () => {
    const end = endAfterFailure(new Error('secret'), { attempts: 5, ageSeconds: 0 });
    expect(end).toMatchObject({ type: 'failed', fault: { code: 'internal_error' } });
    expect(JSON.stringify(end)).not.toContain('secret');
  });
});
