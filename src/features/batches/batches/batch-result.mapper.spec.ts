import { describe, expect, it } from '@jest/globals';
import type { ItemResult } from '../model/batch-item.js';
import { toResultBody } from './batch-result.mapper.js';

const ITEM: ItemResult = {
  line: 1,
  customId: 'a',
  status: 'completed',
  responseStatus: 200,
  requestId: 'r',
  response: '{"choices":[{"message":{"content":"Hello"}},{"message":{"content":"Hi"}}]}',
  errorCode: null,
  errorMessage: null,
  usage: {
    inputTokens: 2,
    outputTokens: 3,
    cachedTokens: 0,
    reasoningTokens: 0,
    costMicroUsd: 0n,
    unpricedAttempts: 1,
  },
};
const FULL = { task: 'chat', withResponse: true } as const;

describe('toResultBody', () => {
  it('has the text of the first choice beside the complete response', () => {
    expect(toResultBody(ITEM, FULL)).toMatchObject({
      text: 'Hello',
      embedding: null,
      error: null,
      response: { status_code: 200, request_id: 'r', body: { choices: [{}, {}] } },
      usage: { total_tokens: 5, cost_estimate: null, unpriced_attempts: 1 },
    });
  });

  it('has no text if the answer calls a tool, and none if the response is no JSON', () => {
    const call = '{"choices":[{"message":{"content":null,"tool_calls":[]}}]}';
    expect(toResultBody({ ...ITEM, response: call }, FULL).text).toBeNull();
    expect(toResultBody({ ...ITEM, response: 'oops' }, FULL)).toMatchObject({
      text: null,
      response: { body: null },
    });
  });

  it('has the first embedding, unless it is base64', () => {
    const form = { task: 'embed', withResponse: false } as const;
    const embedded = (embedding: unknown) =>
      toResultBody({ ...ITEM, response: JSON.stringify({ data: [{ embedding }] }) }, form);
    expect(embedded([0.5, 1])).toMatchObject({ text: null, embedding: [0.5, 1] });
    expect(embedded([0.5, 1])).not.toHaveProperty('response');
    expect(embedded('AAAA').embedding).toBeNull();
  });

  it('has the error of a failed response, or that of the item', () => {
    const failed = { ...ITEM, status: 'failed', responseStatus: 404 } as const;
    const response = '{"error":{"code":"model_not_found","message":"No."}}';
    expect(toResultBody({ ...failed, response }, FULL)).toMatchObject({
      text: null,
      error: { code: 'model_not_found', message: 'No.' },
    });
    const cancelled = { status: 'cancelled', responseStatus: null, response: null } as const;
    expect(
      toResultBody({ ...ITEM, ...cancelled, errorCode: 'batch_cancelled', errorMessage: 'Late.' }, FULL),
    ).toMatchObject({ response: null, error: { code: 'batch_cancelled', message: 'Late.' } });
    expect(toResultBody({ ...failed, response: '{}' }, FULL).error).toMatchObject({ code: 'internal_error' });
  });
});
