import { describe, expect, it } from '@jest/globals';
import { createCitationFilter } from '../../features/rag/index.js';
import { type ChatChunk, type ModelAnswer, type ModelEvent, NO_USAGE } from '../../llm/index.js';
import { filterCitations, withoutFalseCitations } from './filter-citations.js';

type Delta = ChatChunk['choices'][number]['delta'];
type FinishReason = ChatChunk['choices'][number]['finish_reason'];

const HEAD = { id: 'c-1', object: 'chat.completion.chunk', created: 1, model: 'gpt' } as const;
const USAGE = { prompt_tokens: 1, completion_tokens: 2, total_tokens: 3 };

function chunkOf(delta: Delta, finish_reason: FinishReason = null, more: Partial<ChatChunk> = {}): ChatChunk {
  return { ...HEAD, choices: [{ index: 0, delta, finish_reason }], ...more };
}

async function* eventsOf(chunks: readonly ChatChunk[]): AsyncGenerator<ModelEvent> {
  for (const chunk of chunks)
    yield await Promise.resolve({ type: 'chunk' as const, chunk, raw: JSON.stringify(chunk) });
}

/** Filters the chunks of an answer with one source. */
async function filtered(...chunks: readonly ChatChunk[]): Promise<ModelEvent[]> {
  const filter = createCitationFilter(1, {});
  if (filter === undefined) throw new Error('Text has no filter.');
  return Array.fromAsync(filterCitations(eventsOf(chunks), filter));
}

describe('filterCitations', () => {
  it('passes on chunks without a marker as they came', async () => {
    const chunks = [chunkOf({ role: 'assistant', content: '' }), chunkOf({ content: 'Noon [1]' })];
    const last = [chunkOf({}, 'stop'), { ...HEAD, choices: [], usage: USAGE }];
    expect(await filtered(chunkOf({ role: 'assistant', content: 'Noon' }), ...last)).toEqual(
      await Array.fromAsync(eventsOf([chunkOf({ role: 'assistant', content: 'Noon' }), ...last])),
    );
    const [first, second] = await filtered(...chunks);
    expect(first).toHaveProperty('raw');
    // The end of the text may be the beginning of a link.
    expect(second).toMatchObject({ chunk: { choices: [{ delta: { content: 'Noon' } }] } });
    expect(second).not.toHaveProperty('raw');
  });

  it('sends the rest of the text before the finish reason, and the usage once', async () => {
    const calls = [{ index: 0, id: 'call_1', function: { name: 'clock', arguments: '{}' } }];
    const whole = chunkOf({ role: 'assistant', content: 'Noon [2] [1', tool_calls: calls }, 'stop', {
      usage: USAGE,
    });
    const events = await filtered(whole);
    expect(events).toEqual([
      {
        type: 'chunk',
        chunk: chunkOf({ role: 'assistant', content: 'Noon [1', tool_calls: calls }),
      },
      { type: 'chunk', chunk: chunkOf({}, 'stop', { usage: USAGE }) },
    ]);
  });

  it('sends the rest of the text with a refusal, which replaces what would follow', async () => {
    const [, second, third] = await filtered(
      chunkOf({ content: 'Noon [' }),
      chunkOf({ refusal: 'I cannot.' }),
      chunkOf({}, 'stop'),
    );
    expect(second).toMatchObject({
      chunk: { choices: [{ delta: { content: ' [', refusal: 'I cannot.' }, finish_reason: null }] },
    });
    expect(third).toMatchObject({ chunk: { choices: [{ delta: {}, finish_reason: 'stop' }] } });
  });
});

describe('withoutFalseCitations', () => {
  it('keeps an answer without text, and drops the original text of one with a marker', () => {
    const answerWith = (content: string | null): ModelAnswer => ({
      model: { provider: 'openai', model: 'gpt', name: 'openai/gpt' },
      completion: {
        ...HEAD,
        object: 'chat.completion',
        choices: [
          {
            index: 0,
            message: { role: 'assistant', content, refusal: null },
            finish_reason: 'stop',
            logprobs: null,
          },
        ],
      },
      raw: '{}',
      usage: NO_USAGE,
      ignored: [],
      attempts: [],
    });
    const contents = ['Noon [1] [2]', null].map((content) => {
      const filter = createCitationFilter(1, {});
      if (filter === undefined) throw new Error('Text has no filter.');
      const answer = withoutFalseCitations(answerWith(content), filter);
      expect(answer).not.toHaveProperty('raw');
      return answer.completion.choices[0]?.message.content;
    });
    expect(contents).toEqual(['Noon [1]', null]);
    expect(createCitationFilter(1, { response_format: { type: 'json_object' } })).toBeUndefined();
  });
});
