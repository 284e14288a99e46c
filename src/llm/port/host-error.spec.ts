import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { isErrorReport, toHostError } from './host-error.js';
import { ProviderError } from './provider-error.js';

/**
 * Replies as hosts send them: the host, the status of the response, the body, the kind, a part of the message.
 */
const REPLIES: [host: string, status: number | undefined, body: unknown, kind: string, sentence: string][] = [
  [
    'OpenAI',
    400,
    { error: { message: 'Too long.', code: 'context_length_exceeded' } },
    'context_length_exceeded',
    'Too long.',
  ],
  [
    'OpenAI',
    429,
    { error: { message: 'You exceeded your current quota.', code: 'insufficient_quota' } },
    'quota_exhausted',
    'quota',
  ],
  [
    'Azure',
    429,
    { error: { code: '429', message: 'Requests have exceeded the call rate limit.' } },
    'rate_limited',
    'call rate limit',
  ],
  [
    'Azure',
    400,
    { error: { code: 'content_filter', message: 'Filtered.' } },
    'content_policy_violation',
    'Filtered.',
  ],
  [
    'Azure',
    404,
    { error: { code: 'DeploymentNotFound', message: 'No deployment.' } },
    'model_not_found',
    'No deployment.',
  ],
  [
    'llama.cpp',
    400,
    {
      error: {
        code: 400,
        message: 'request (9 tokens) exceeds the available context size (8 tokens)',
        type: 'exceed_context_size_error',
      },
    },
    'context_length_exceeded',
    'available context size',
  ],
  [
    'llama.cpp with status 200',
    undefined,
    { error: { code: 400, message: 'the request exceeds it', type: 'exceed_context_size_error' } },
    'context_length_exceeded',
    'exceeds it',
  ],
  [
    'llama.cpp',
    503,
    { error: { code: 503, message: 'Loading model', type: 'unavailable_error' } },
    'unavailable',
    'Loading model',
  ],
  [
    'vLLM',
    400,
    {
      object: 'error',
      message: "This model's maximum context length is 4096 tokens.",
      type: 'BadRequestError',
      code: 400,
    },
    'context_length_exceeded',
    'maximum context length',
  ],
  [
    'vLLM with status 200',
    undefined,
    { object: 'error', message: 'Bad.', type: 'BadRequestError', code: 400 },
    'rejected',
    'Bad.',
  ],
  [
    'SGLang',
    400,
    {
      object: 'error',
      message: "The input (5000 tokens) is longer than the model's context length (4096 tokens).",
      code: 400,
    },
    'context_length_exceeded',
    'longer than',
  ],
  [
    'TGI',
    422,
    {
      error: 'Input validation error: `inputs` must have less than 9 tokens. Given: 10',
      error_type: 'validation',
    },
    'context_length_exceeded',
    'Input validation error',
  ],
  [
    'TGI',
    400,
    { error: 'Input validation error: `top_p` must be > 0', error_type: 'validation' },
    'rejected',
    'top_p',
  ],
  ['TGI', 429, { error: 'Model is overloaded', error_type: 'overloaded' }, 'unavailable', 'overloaded'],
  [
    'OpenRouter',
    undefined,
    { error: { code: 402, message: 'Insufficient credits' } },
    'quota_exhausted',
    'Insufficient credits',
  ],
  [
    'OpenRouter',
    400,
    {
      error: {
        code: 400,
        message: 'Provider returned error',
        metadata: { raw: '{"error":{"message":"prompt is too long"}}' },
      },
    },
    'context_length_exceeded',
    'prompt is too long',
  ],
  [
    'DeepSeek',
    402,
    { error: { message: 'Insufficient Balance', type: 'unknown_error', code: 'invalid_request_error' } },
    'quota_exhausted',
    'Insufficient Balance',
  ],
  ['a host that only pays attention to the status', 402, '', 'quota_exhausted', 'status 402'],
  [
    'Mistral',
    422,
    { object: 'error', message: { detail: [{ loc: ['body', 'temperature'], msg: 'Too big' }] } },
    'rejected',
    'body.temperature: Too big',
  ],
  [
    'Mistral',
    400,
    { object: 'error', message: 'Invalid model: x', type: 'invalid_model', code: '1500' },
    'model_not_found',
    'Invalid model',
  ],
  [
    'FastAPI',
    422,
    { detail: [{ loc: ['body', 'n'], msg: 'Field required' }] },
    'rejected',
    'body.n: Field required',
  ],
  ['FastAPI', 400, { detail: 'No such thing.' }, 'rejected', 'No such thing.'],
  [
    'Gemini',
    400,
    [
      {
        error: {
          code: 400,
          message: 'The input token count (9) exceeds the maximum number of tokens allowed (8).',
          status: 'INVALID_ARGUMENT',
        },
      },
    ],
    'context_length_exceeded',
    'input token count',
  ],
  [
    'Gemini',
    429,
    [{ error: { code: 429, message: 'You exceeded your current quota.', status: 'RESOURCE_EXHAUSTED' } }],
    'rate_limited',
    'quota',
  ],
  [
    'Gemini',
    400,
    [{ error: { code: 400, message: 'API key not valid.', status: 'INVALID_ARGUMENT' } }],
    'unauthorized',
    'not valid',
  ],
  [
    'Anthropic',
    529,
    { type: 'error', error: { type: 'overloaded_error', message: 'Overloaded' } },
    'unavailable',
    'Overloaded',
  ],
  ['Ollama', 404, { error: "model 'x' not found" }, 'model_not_found', 'not found'],
  ['Cloudflare', 400, { success: false, errors: [{ code: 5007, message: 'Wrong.' }] }, 'rejected', 'Wrong.'],
  [
    'a proxy',
    502,
    '<html><head><title>502 Bad Gateway</title></head></html>',
    'broken_answer',
    '502 Bad Gateway',
  ],
  ['plain text', 400, 'No, thanks.', 'rejected', 'No, thanks.'],
  [
    'Azure, with the kind in `innererror`',
    400,
    { error: { message: 'Filtered.', innererror: { code: 'ResponsibleAIPolicyViolation' } } },
    'content_policy_violation',
    'Filtered.',
  ],
  [
    'Gemini, with the kind in `details`',
    400,
    { error: { message: 'Blocked.', details: [{ locale: 'en' }, { reason: 'PROHIBITED_CONTENT' }] } },
    'content_policy_violation',
    'Blocked.',
  ],
  ['FastAPI, without a place', 422, { detail: [{ msg: 'Field required' }] }, 'rejected', 'Field required'],
  [
    'FastAPI, with a place in a list',
    422,
    { detail: [{ loc: ['body', 'messages', 0, null], msg: 'Field required' }] },
    'rejected',
    'body.messages.0: Field required',
  ],
  [
    'Cloudflare with status 200',
    undefined,
    { success: false, errors: [{ code: 5007, message: 'Wrong.' }] },
    'broken_answer',
    'Wrong.',
  ],
];

describe('toHostError', () => {
  it.each(REPLIES)('classifies the error of %s (%s): %j', (_host, status, body, kind, sentence) => {
    for (const given of [body, JSON.stringify(body)]) {
      const error = toHostError({ status, body: given });
      expect(error.kind).toBe(kind);
      expect(error.message).toContain(sentence);
    }
    if (status === undefined) expect(isErrorReport(body)).toBe(true);
  });

  it('never reveals a key', () => {
    const message = 'No: sk-abc***def, Bearer abcdef, my-own-secret-1, https://me:word@host/';
    const error = toHostError({ status: 400, body: { error: { message } }, secret: 'my-own-secret-1' });
    expect(error.message).not.toMatch(/sk-|abcdef|my-own|me:word/);
  });

  it('falls back to the status for a report that is nested endlessly', () => {
    const nested = Array.from({ length: 8 }).reduce<object>((error) => ({ error }), { message: 'Unread.' });
    expect(toHostError({ status: 400, body: nested }).message).toBe(
      'The provider responded with status 400.',
    );
  });

  it('returns one of the known kinds for any JSON', () => {
    fc.assert(
      fc.property(
        fc.jsonValue(),
        fc.option(fc.integer({ min: 400, max: 599 }), { nil: undefined }),
        (body, status) => {
          const error = toHostError({ status, body });
          expect(error).toBeInstanceOf(ProviderError);
          expect(error.message.length).toBeLessThan(600);
        },
      ),
    );
  });
});
