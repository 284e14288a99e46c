import { describe, expect, it } from '@jest/globals';
import { readOpenAiEmbeddings } from './embedding-reply.js';

const read = (value: unknown, count = 1) => readOpenAiEmbeddings(JSON.stringify(value), count);

describe('readOpenAiEmbeddings reads vectors', () => {
  it.each<[string, unknown]>([
    ['OpenAI’s list', { data: [{ index: 0, embedding: [1, 0] }] }],
    ['a list without its object', [{ embedding: [1, 0] }]],
    ['vectors without their objects', { data: [[1, 0]] }],
    ['llama.cpp’s list in a list', [{ index: 0, embedding: [[1, 0]] }]],
    ['base64', { data: [{ embedding: 'AACAPwAAAAA=' }] }],
  ])('from %s', (_what, value) => {
    expect(read(value).vectors).toEqual([[1, 0]]);
  });

  it.each<[unknown, number | undefined]>([
    [{ prompt_tokens: 5, total_tokens: 6 }, 5],
    [{ total_tokens: 6 }, 6],
    [undefined, undefined],
  ])('and counts the usage %j as %s tokens', (usage, tokens) => {
    expect(read({ data: [{ embedding: [1] }], usage }).inputTokens).toBe(tokens);
  });
});

describe('an invalid list of vectors', () => {
  it.each<[string, unknown, number]>([
    ['no list', { embedding: [1] }, 1],
    ['fewer vectors than inputs', { data: [{ embedding: [1] }] }, 2],
    [
      'two vectors of one input',
      {
        data: [
          { index: 0, embedding: [1] },
          { index: 0, embedding: [2] },
        ],
      },
      2,
    ],
    ['a text that is no base64', { data: [{ embedding: 'no vector' }] }, 1],
    ['base64 that is cut off', { data: [{ embedding: 'AACAPwAA' }] }, 1],
    ['an empty vector', { data: [{ embedding: [] }] }, 1],
    ['a vector of texts', { data: [{ embedding: ['1'] }] }, 1],
  ])('is refused: %s', (_what, value, count) => {
    expect(() => read(value, count)).toThrow(expect.objectContaining({ kind: 'unreadable_answer' }));
  });

  it('is reported as a failure if it is an error with a success status', () => {
    expect(() => read({ error: { message: 'Gone.' } })).toThrow('Gone.');
  });
});
