import { once } from 'node:events';
import { Logger, type LoggerService } from '@nestjs/common';
import { ExecutionContextHost } from '@nestjs/core/helpers/execution-context-host.js';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import express, { type NextFunction, type Request, type Response } from 'express';
import type { Server } from 'node:http';
import { AppError, NotFoundError } from '../../common/errors.js';
import { ErrorFormats } from './error-format.js';
import { markRateLimited } from '../context/rate-limit-mark.js';
import { ErrorFilter } from './error.filter.js';
import { RateLimitStorage } from '../context/rate-limit.storage.js';
import { type RequestAdmission, RequestLimiter } from '../context/request-limiter.js';

class Recorder implements LoggerService {
  readonly lines: { level: string; line: unknown; rest: unknown[] }[] = [];
  log = this.record('log');
  warn = this.record('warn');
  error = this.record('error');

  private record(level: string): (line: unknown, ...rest: unknown[]) => void {
    return (line, ...rest) => {
      this.lines.push({ level, line, rest });
    };
  }
}

let recorder: Recorder;
let server: Server;
let thrown: unknown;
let begun: boolean;
let ended: boolean;
let broken: boolean;
let limiterFails: boolean;
let escaped: unknown[];
let counted: boolean;
let admitted: string[];
let refusal: AppError | undefined;

class Limiter extends RequestLimiter {
  override admit(): never {
    throw new Error('Nobody is known.');
  }

  override admitAddress(address: string): Promise<RequestAdmission> {
    admitted.push(address);
    if (limiterFails) return Promise.reject(new Error('The limiter is broken.'));
    return Promise.resolve({ refusal, requests: undefined });
  }
}

const rateLimits = new RateLimitStorage(new Limiter());

beforeEach(async () => {
  recorder = new Recorder();
  Logger.overrideLogger(recorder);
  begun = false;
  ended = false;
  broken = false;
  limiterFails = false;
  counted = true;
  admitted = [];
  refusal = undefined;
  escaped = [];
  const app = express();
  app.get('/', (request, response) => {
    response.setHeader('X-Request-ID', 'the-id');
    if (begun) response.write('half of an answer');
    if (counted) markRateLimited(request);
    if (ended) response.end('{"whole":true}');
    if (broken)
      response.json = () => {
        throw new Error('The response cannot be written.');
      };
    new ErrorFilter(new ErrorFormats([]), rateLimits)
      .catch(thrown, new ExecutionContextHost([request, response]))
      .catch((error: unknown) => escaped.push(error));
  });
  app.use((error: unknown, _request: Request, response: Response, next: NextFunction) => {
    escaped.push(error);
    response.destroy();
    next();
  });
  server = app.listen(0, '127.0.0.1');
  await once(server, 'listening');
});

afterEach(async () => {
  Logger.overrideLogger(false);
  server.close();
  await once(server, 'close');
});

function portOf(listening: Server): string {
  const address = listening.address();
  return typeof address === 'object' ? String(address?.port) : '';
}

async function answer(error: unknown): Promise<{ response: globalThis.Response; body: unknown }> {
  thrown = error;
  const response = await fetch(`http://127.0.0.1:${portOf(server)}/`, { headers: { connection: 'close' } });
  return { response, body: await response.json() };
}

describe('the error filter', () => {
  test('sends every field of an AppError to the caller and logs nothing', async () => {
    const details = [{ field: 'email', message: 'email is taken' }];
    const error = new AppError('email_taken', 'Taken.', {
      param: 'email',
      details,
      retryable: false,
      cause: new Error('the secret cause'),
    });
    const { response, body } = await answer(error);
    expect(response.status).toBe(409);
    expect(response.headers.get('x-should-retry')).toBe('false');
    expect(response.headers.get('retry-after')).toBeNull();
    expect(body).toEqual({
      error: {
        code: 'email_taken',
        message: 'Taken.',
        type: 'invalid_request_error',
        param: 'email',
        details,
      },
      request_id: 'the-id',
    });
    expect(recorder.lines).toEqual([]);
  });

  test('omits fields that the error does not have', async () => {
    const { body } = await answer(new NotFoundError('cat', 'Tom'));
    expect(body).toEqual({
      error: { code: 'not_found', message: "There is no cat 'Tom'.", type: 'not_found_error', param: null },
      request_id: 'the-id',
    });
  });

  test.each([
    [1, '1'],
    [1000, '1'],
    [1001, '2'],
    [60_000, '60'],
  ])('rounds a retry delay of %i ms to a Retry-After of %s s', async (retryAfterMs, seconds) => {
    const { response } = await answer(new AppError('service_unavailable', 'Away.', { retryAfterMs }));
    expect(response.status).toBe(503);
    expect(response.headers.get('retry-after')).toBe(seconds);
    expect(response.headers.get('x-should-retry')).toBeNull();
  });

  test('logs a warning for a failure that the operator must know about, in the words of the error table', async () => {
    const cause = new Error('connection refused');
    await answer(new AppError('provider_unavailable', 'Away.', { cause }));
    expect(recorder.lines).toEqual([
      {
        level: 'warn',
        line: { code: 'provider_unavailable', request_id: 'the-id', err: cause },
        rest: ['The model provider cannot be reached.', 'ErrorFilter'],
      },
    ]);
  });

  test.each([new Error('the secret'), new TypeError('the secret'), 'the secret', undefined, { status: 404 }])(
    'answers %p with a fixed message and logs the cause once',
    async (error) => {
      const { response, body } = await answer(error);
      expect(response.status).toBe(500);
      expect(body).toEqual({
        error: {
          code: 'internal_error',
          message:
            'Something went wrong on the server. Try again; if the problem persists, report the request_id.',
          type: 'api_error',
          param: null,
        },
        request_id: 'the-id',
      });
      expect(recorder.lines).toEqual([
        {
          level: 'error',
          line: {
            code: 'internal_error',
            request_id: 'the-id',
            err: error instanceof Error ? error : expect.objectContaining({ code: 'internal_error' }),
          },
          rest: ['unexpected failure', 'ErrorFilter'],
        },
      ]);
    },
  );

  test('closes the connection if part of a response is already sent', async () => {
    begun = true;
    await expect(answer(new NotFoundError('cat', 'Tom'))).rejects.toThrow(/terminated|fetch failed/);
    expect(escaped).toEqual([]);
  });

  test('closes the connection, logs once and never rejects if the error response cannot be sent', async () => {
    broken = true;
    await expect(answer(new NotFoundError('cat', 'Tom'))).rejects.toThrow(/fetch failed/);
    expect(recorder.lines).toMatchObject([
      { level: 'error', rest: ['could not send an error response; closing the connection', 'ErrorFilter'] },
    ]);
    expect(escaped).toEqual([]);
  });

  test('leaves a response unchanged that ended before the failure', async () => {
    ended = true;
    expect((await answer(new NotFoundError('cat', 'Tom'))).body).toEqual({ whole: true });
    expect(escaped).toEqual([]);
  });

  test('answers with the original error if counting the request fails', async () => {
    counted = false;
    limiterFails = true;
    expect((await answer(new NotFoundError('cat', 'Tom'))).response.status).toBe(404);
    expect(recorder.lines).toMatchObject([
      {
        level: 'error',
        rest: ['could not count a failed request; it does not count towards the rate limit', 'ErrorFilter'],
      },
    ]);
    expect(escaped).toEqual([]);
  });

  test('counts an uncounted failed request by its address and rejects it above the limit', async () => {
    counted = false;
    const error = new NotFoundError('route', 'x');
    expect((await answer(error)).response.status).toBe(404);
    expect(admitted).toHaveLength(1);
    refusal = new AppError('rate_limit_exceeded', 'Too many.', { retryAfterMs: 1000 });
    expect((await answer(error)).response.status).toBe(429);
    counted = true;
    expect((await answer(error)).response.status).toBe(404);
    expect(admitted).toHaveLength(2);
  });
});
