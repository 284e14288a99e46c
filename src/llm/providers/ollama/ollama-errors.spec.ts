import { describe, expect, it } from '@jest/globals';
import { LineTooLongError } from '../../../common/line-reader.js';
import { ProviderError } from '../../port/index.js';
import { BrokenBodyError } from '../../transport/broken-body.js';
import {
  toBrokenAnswerError,
  toUnreachableError,
  toOllamaStreamError,
  toProviderErrorOfStatus,
} from './ollama-errors.js';

const failure = (status: number, error?: string, headers: Record<string, string> = {}) =>
  toProviderErrorOfStatus({ status, headers, text: error === undefined ? '' : JSON.stringify({ error }) });

/** Error messages of real servers. */
const SENTENCES: [sentence: string, kind: string | undefined][] = [
  ["model 'llama9' not found", 'model_not_found'],
  ['model "llama9" not found, try pulling it first', 'model_not_found'],
  ['prompt too long; exceeded max context length by 4 tokens', 'context_length_exceeded'],
  ['the input length exceeds the context length', 'context_length_exceeded'],
  [
    'request (8000 tokens) exceeds the available context size (4096 tokens), try increasing it',
    'context_length_exceeded',
  ],
  ['context canceled', undefined],
  ['post predict: context deadline exceeded', undefined],
  ['"gemma3" does not support tools', undefined],
];

describe('errors of Ollama', () => {
  it.each([
    [400, 'rejected'],
    [401, 'unauthorized'],
    [403, 'unauthorized'],
    [404, 'model_not_found'],
    [413, 'rejected'],
    [429, 'rate_limited'],
    [500, 'broken_answer'],
    [502, 'broken_answer'],
    [503, 'unavailable'],
    [504, 'timed_out'],
    [408, 'timed_out'],
    [409, 'unavailable'],
    [302, 'broken_answer'],
  ])('with status %i are classified as %s', (status, kind) => {
    expect(failure(status, 'a reason')).toMatchObject({ kind, message: 'a reason', retryAfterMs: undefined });
  });

  it.each(SENTENCES)('are classified by the message: %s', (sentence, kind) => {
    expect(failure(500, sentence).kind).toBe(kind ?? 'broken_answer');
    expect(failure(400, sentence).kind).toBe(kind ?? 'rejected');
    expect(toOllamaStreamError(sentence)).toMatchObject({
      kind: kind ?? 'broken_answer',
      message: sentence,
    });
  });

  it('contain the delay before the next attempt', () => {
    expect(failure(429, 'slow down', { 'retry-after': '7' }).retryAfterMs).toBe(7000);
    expect(failure(503, 'busy', { 'retry-after': '7', 'retry-after-ms': '20' }).retryAfterMs).toBe(20);
  });

  it('are read from the response of a proxy', () => {
    const page = toProviderErrorOfStatus({ status: 502, headers: {}, text: '<html>Bad gateway</html>' });
    expect(page.message).toBe('The provider responded with status 502.');
    const object = toProviderErrorOfStatus({
      status: 429,
      headers: {},
      text: '{"error":{"message":"slow down"}}',
    });
    expect([object.kind, object.message]).toEqual(['rate_limited', 'slow down']);
    expect(failure(500, '').message).toBe('The provider responded with status 500.');
    expect(toOllamaStreamError(7).message).toBe('The provider ended the answer with an error.');
    expect(failure(500, 'x'.repeat(9999)).message.length).toBeLessThan(600);
  });

  it('distinguish a missing answer from one that broke off', () => {
    const cause = new Error('ECONNREFUSED');
    expect(toUnreachableError(cause)).toMatchObject({ kind: 'unreachable', cause });
    const broken = new BrokenBodyError(cause);
    expect(toBrokenAnswerError(broken)).toMatchObject({ kind: 'broken_answer', cause: broken });
    expect(toBrokenAnswerError(new LineTooLongError(1)).kind).toBe('unreadable_answer');
    const own = new ProviderError('rejected', 'x');
    expect(toBrokenAnswerError(own)).toBe(own);
    expect(() => toBrokenAnswerError(cause)).toThrow(cause);
  });
});
