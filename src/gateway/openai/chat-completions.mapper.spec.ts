import { beforeEach, describe, expect, it } from '@jest/globals';
import type { ChatChunk } from '../../llm/index.js';
import { ChunkWriter } from './chat-completions.mapper.js';

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

  it('keeps what it does not know', () => {
    const raw = JSON.stringify({ ...CHUNK, novelty: { a: 1 } });
    expect(written(plain, CHUNK, raw)).toHaveProperty('novelty', { a: 1 });
  });

  it('shows usage to those who asked for it alone, wherever the host puts it', () => {
    const beside = { ...CHUNK, usage: USAGE };
    const last = { ...beside, choices: [] };
    expect(written(plain, beside, JSON.stringify(beside))).toEqual({ ...CHUNK, model: 'openai/gpt' });
    expect(written(plain, last, JSON.stringify(last))).toBeUndefined();
    expect(written(withUsage, last, JSON.stringify(last))).toMatchObject({ choices: [], usage: USAGE });
    expect(written(withUsage, CHUNK)).toMatchObject({ usage: null });
  });
});
