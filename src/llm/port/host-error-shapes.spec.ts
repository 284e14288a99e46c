import { describe, expect, it } from '@jest/globals';
import { isErrorReport, toHostError } from './host-error.js';
import { toModelCallError } from './model-call-error.js';

/** Reports with a success status that have none of OpenAI's fields. */
const REPORTS: [report: object, kind: string, sentence: string][] = [
  [{ code: 401, msg: 'Invalid API-key' }, 'unauthorized', 'Invalid API-key'],
  [{ error_code: 336_003, error_msg: 'No such value' }, 'broken_answer', 'No such value'],
  [{ choices: null, message: 'upstream down' }, 'broken_answer', 'upstream down'],
  [{ status: 'error', reason: 'It is full' }, 'broken_answer', 'It is full'],
  [{ success: false, description: 'It is full' }, 'broken_answer', 'It is full'],
  [{ code: '429' }, 'rate_limited', 'ended the answer with an error'],
  [{ error: true, message: 'The host said no' }, 'broken_answer', 'The host said no'],
];

/** Bodies with status 400 that have the message in an unusual place. */
const PLACES: [body: unknown, sentence: string][] = [
  [
    { errors: { temperature: ['must be less than 2', 'must be a number'] } },
    'temperature: must be less than 2, must be a number',
  ],
  [{ errors: { temperature: 'is too big', top_p: [] } }, 'temperature: is too big'],
  [{ detail: { temperature: ['is too big'] } }, 'temperature: is too big'],
  [{ description: 'It is too big.' }, 'It is too big.'],
  [{ error: { reason: 'It is too big.' } }, 'It is too big.'],
  [{ error: ['first', 'second'] }, 'first; second'],
  [
    '<?xml version="1.0"?>\n<Error>\n  <Code>400</Code>\n  <Message>It is\n too big.</Message>\n</Error>',
    'It is too big.',
  ],
  ['<error>It is too big.</error>', 'It is too big.'],
  [
    '<e:fault xmlns:e="x"><e:message><![CDATA[It is <b>too big</b>.]]></e:message></e:fault>',
    'It is <b>too big</b>.',
  ],
];

describe('an error of a host in an unusual shape', () => {
  it.each(REPORTS)('is recognized as %j, which came with a success status', (report, kind, sentence) => {
    expect(isErrorReport(report)).toBe(true);
    const error = toHostError({ body: report });
    expect(error.kind).toBe(kind);
    expect(error.message).toContain(sentence);
  });

  it.each([
    "Invalid tool: function 'get_model' with model 'x' not found in tools",
    'A file that the model needs for its output was not found.',
    "'user' input is too long (max 64)",
    '`metadata` input too long',
    'Tool input is too long',
  ])('is a refusal of the request if it is only similar to others: %s', (message) => {
    expect(toHostError({ status: 400, body: { error: { message } } }).kind).toBe('rejected');
  });

  it.each<[kind: string, message: string]>([
    ['model_not_found', "model 'x' not found, try pulling it first"],
    ['model_not_found', 'The model `gpt-9` does not exist or you do not have access to it.'],
    ['model_not_found', 'model "x y" not found'],
    ['model_not_found', 'The requested model, x, does not exist'],
    ['model_not_found', 'Model with id x could not be found'],
    ['model_not_found', 'Model x is not found'],
    ['context_length_exceeded', 'prompt is too long: 210000 tokens > 200000 maximum'],
    ['context_length_exceeded', 'ValidationException: Input is too long for requested model.'],
    ['context_length_exceeded', 'Your input is too long.'],
  ])('is of the kind %s if it says: %s', (kind, message) => {
    expect(toHostError({ status: 400, body: { error: { message } } }).kind).toBe(kind);
  });

  it.each(PLACES)('keeps its message in %j', (body, sentence) => {
    expect(toHostError({ status: 400, body })).toMatchObject({ kind: 'rejected', message: sentence });
  });

  it('passes on its message to the caller if its kind is unknown', () => {
    const messageOf = (body: unknown, status?: number) =>
      toModelCallError(toHostError({ body, status }), []).message;
    expect(messageOf({ error: 'model requires more system memory' })).toBe(
      'model requires more system memory',
    );
    expect(messageOf({ error: {} })).toContain('broke off');
    expect(messageOf({ error: 'Traceback' }, 500)).toContain('broke off');
    expect(messageOf({ error: { code: 500, message: 'Traceback' } })).toContain('broke off');
  });

  it.each<object>([
    { model: 'm', message: { role: 'assistant', content: 'Hi' }, done: false },
    { type: 'message', content: [], stop_reason: 'end_turn' },
    { choices: [], message: 'ok', code: 500 },
    { choices: { message: { content: 'Hi' } }, msg: 'ok' },
    { data: [], success: false },
    { choices: [], error: { code: 0, message: '' } },
    { choices: [], error: { code: null, message: ' ', details: [], more: { param: '' } } },
    { choices: [], error: [] },
    { code: 0, status: 'success', reason: 'stop' },
  ])('is not seen in the answer %j', (answer) => {
    expect(isErrorReport(answer)).toBe(false);
  });
});
