import { beforeEach, describe, expect, it } from '@jest/globals';
import type { ChatChunk, ChatCompletion } from '../../llm/index.js';
import { ChunkWriter, toCompletionText } from './chat-completions.mapper.js';

const CHUNK: ChatChunk = {
  id: 'c-1',
  object: 'chat.completion.chunk',
  created: 1,
  model: 'gpt',
  choices: [{ index: 0, delta: { content: 'the "model":"gpt"' }, finish_reason: null }],
};
const { choices, ...HEAD } = CHUNK;
const TURNED = { choices, ...HEAD };
const USAGE = { prompt_tokens: 1, completion_tokens: 2, total_tokens: 3 };

let plain: ChunkWriter;
let withUsage: ChunkWriter;

beforeEach(() => {
  [plain, withUsage] = [new ChunkWriter(false), new ChunkWriter(true)];
  for (const writer of [plain, withUsage])
    writer.begin({ provider: 'openai', model: 'gpt', name: 'openai/gpt' });
});

function written(writer: ChunkWriter, chunk: ChatChunk, raw?: string): unknown {
  const text = writer.write({ type: 'chunk', chunk, ...(raw !== undefined && { raw }) });
  expect(text ?? '').not.toMatch(/[\n\r]/);
  return text === undefined ? undefined : JSON.parse(text);
}

describe('ChunkWriter', () => {
  it.each([
    ['as it is', JSON.stringify(CHUNK)],
    ['with the model at the end', JSON.stringify(TURNED)],
    ['over several lines', JSON.stringify(CHUNK).replaceAll(',"', ',\n"')],
    ['with white space', JSON.stringify(CHUNK, null, 1)],
    ['not at hand', undefined],
  ])('puts our name of the model into a chunk whose text is %s', (_how, raw) => {
    expect(written(plain, CHUNK, raw)).toEqual({ ...CHUNK, model: 'openai/gpt' });
  });

  it('keeps unknown fields', () => {
    const raw = JSON.stringify({ ...CHUNK, novelty: { a: 1 } });
    expect(written(plain, CHUNK, raw)).toHaveProperty('novelty', { a: 1 });
  });

  it('sends usage only to clients that requested it, wherever the host puts it', () => {
    const beside = { ...CHUNK, usage: USAGE };
    const last = { ...beside, choices: [] };
    expect(written(plain, beside, JSON.stringify(beside))).toEqual({ ...CHUNK, model: 'openai/gpt' });
    expect(written(plain, last, JSON.stringify(last))).toBeUndefined();
    expect(written(withUsage, last, JSON.stringify(last))).toMatchObject({ choices: [], usage: USAGE });
    expect(written(withUsage, CHUNK)).toMatchObject({ usage: null });
  });
});

describe('toCompletionText', () => {
  const COMPLETION: ChatCompletion = {
    id: 'c-1',
    object: 'chat.completion',
    created: 1,
    model: 'gpt',
    choices: [
      {
        index: 0,
        message: { role: 'assistant', content: 'the "model":"gpt"', refusal: null },
        finish_reason: 'stop',
        logprobs: null,
      },
    ],
  };
  const COMPLETION_WITH_USAGE = { ...COMPLETION, usage: USAGE, novelty: { a: 1 } };
  const ANSWER = {
    model: { provider: 'openai', model: 'gpt', name: 'openai/gpt' },
    usage: { inputTokens: 3, outputTokens: 4, cachedTokens: 0, cacheWriteTokens: 0, reasoningTokens: 0 },
    ignored: [],
    attempts: [],
  };

  it.each([
    ['as it came', JSON.stringify(COMPLETION_WITH_USAGE)],
    ['with white space', JSON.stringify(COMPLETION_WITH_USAGE, null, 1)],
    ['not at hand', undefined],
  ])('puts our name of the model into an answer whose text is %s', (_how, raw) => {
    const text = toCompletionText({
      ...ANSWER,
      completion: COMPLETION_WITH_USAGE,
      ...(raw !== undefined && { raw }),
    });
    expect(JSON.parse(text)).toEqual({ ...COMPLETION_WITH_USAGE, model: 'openai/gpt' });
  });

  it('renames only the model field, even if another part of the answer contains the model’s name', () => {
    const completion = { novelty: { model: 'gpt' }, ...COMPLETION, usage: USAGE };
    const text = toCompletionText({ ...ANSWER, completion, raw: JSON.stringify(completion) });
    expect(JSON.parse(text)).toEqual({ ...completion, model: 'openai/gpt' });
  });

  it('reports our own token count if the host reports no usage', () => {
    const text = toCompletionText({ ...ANSWER, completion: COMPLETION, raw: JSON.stringify(COMPLETION) });
    expect(JSON.parse(text)).toMatchObject({ model: 'openai/gpt', usage: { total_tokens: 7 } });
  });
});
