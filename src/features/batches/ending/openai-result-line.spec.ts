import { describe, expect, it } from '@jest/globals';
import type { ItemResult } from '../model/batch-item.js';
import { toOpenAiResultLine } from './openai-result-line.js';

const BATCH_ID = '01a1ff56-39c1-73d3-a3f4-d1a2b3c4d5e6';

const COMPLETED: ItemResult = {
  line: 3,
  customId: 'row "3"\n',
  status: 'completed',
  responseStatus: 200,
  requestId: 'r3',
  response: '{"seed":12345678901234567890}',
  errorCode: null,
  errorMessage: null,
  usage: {
    inputTokens: 1,
    outputTokens: 2,
    cachedTokens: 0,
    reasoningTokens: 0,
    costMicroUsd: 0n,
    unpricedAttempts: 0,
  },
};

const UNANSWERED: ItemResult = {
  ...COMPLETED,
  status: 'failed',
  responseStatus: null,
  requestId: null,
  response: null,
};

describe('toOpenAiResultLine', () => {
  it('writes a response with its status and its unchanged body on one line', () => {
    const text = toOpenAiResultLine(COMPLETED, BATCH_ID);
    expect(text).not.toContain('\n');
    expect(text).toContain('"body":{"seed":12345678901234567890}');
    expect(JSON.parse(text)).toEqual({
      id: expect.stringMatching(/^batch_req_[0-9a-f]{32}$/),
      custom_id: 'row "3"\n',
      response: { status_code: 200, request_id: 'r3', body: { seed: expect.any(Number) } },
      error: null,
    });
  });

  it('gives each request of each batch an id of its own, always the same', () => {
    const idOf = (item: ItemResult, batchId = BATCH_ID): string | undefined =>
      /batch_req_[0-9a-f]{32}/.exec(toOpenAiResultLine(item, batchId))?.[0];
    expect(idOf(COMPLETED)).toBe(idOf({ ...COMPLETED, status: 'expired', response: null }));
    const others = [idOf({ ...COMPLETED, line: 4 }), idOf(COMPLETED, '01a1ff56-39c1-73d3-a3f4-d1a2b3c4d5e7')];
    expect(new Set([idOf(COMPLETED), ...others]).size).toBe(3);
  });

  it('writes a refused request with its response into the error file', () => {
    const refused: ItemResult = {
      ...COMPLETED,
      status: 'failed',
      responseStatus: 400,
      response: '{"error":{}}',
    };
    expect(JSON.parse(toOpenAiResultLine(refused, BATCH_ID))).toMatchObject({
      response: { status_code: 400, body: { error: {} } },
      error: null,
    });
  });

  it.each([
    [{ ...UNANSWERED, status: 'expired' as const }, 'batch_expired'],
    [{ ...UNANSWERED, status: 'cancelled' as const }, 'batch_cancelled'],
    [{ ...UNANSWERED, errorCode: 'request_timeout', errorMessage: 'Too slow.' }, 'request_timeout'],
    [UNANSWERED, 'internal_error'],
  ])('writes a request without a response with its code (%#)', (item, code) => {
    expect(JSON.parse(toOpenAiResultLine(item, BATCH_ID))).toMatchObject({
      custom_id: item.customId,
      response: null,
      error: { code, message: expect.any(String) },
    });
  });
});
