import { describe, expect, it } from '@jest/globals';
import type { ChatChunk, ModelEvent } from '../../llm/index.js';
import { MessageWriter } from './message-writer.js';

type Delta = ChatChunk['choices'][number]['delta'] & { reasoning?: string };

const MODEL = { provider: 'host', model: 'm', name: 'host/m' };
const USAGE = {
  inputTokens: 41,
  outputTokens: 17,
  cachedTokens: 30,
  cacheWriteTokens: 6,
  reasoningTokens: 2,
};

const finished = (
  finishReason: Extract<ModelEvent, { type: 'finished' }>['finishReason'],
): Extract<ModelEvent, { type: 'finished' }> => ({
  type: 'finished',
  model: MODEL,
  finishReason,
  usage: USAGE,
  attempts: [],
  warning: null,
});

/** Returns all events that are written for these deltas. */
function write(
  deltas: readonly Delta[],
  finishReason: Parameters<typeof finished>[0] = 'stop',
  last: object = {},
): unknown[] {
  const writer = new MessageWriter(5);
  writer.begin(MODEL);
  const chunks = [...deltas, {}].map((delta, at) => ({
    id: 'c',
    object: 'chat.completion.chunk' as const,
    created: 1,
    model: 'm',
    choices: [{ index: 0, delta, finish_reason: null, ...(at === deltas.length && last) }],
  }));
  const events = [
    ...chunks.flatMap((chunk) => Array.from(writer.write(chunk))),
    ...writer.end(finished(finishReason)),
  ];
  return events.map(({ data }) => data);
}

const call = (index: number, text: string, name?: string): Delta => ({
  tool_calls: [
    {
      index,
      function: { arguments: text, ...(name !== undefined && { name }) },
      ...(name !== undefined && { id: `id_${name}` }),
    },
  ],
});

/** Returns the blocks that the events add up to; each must be opened, filled and closed before the next. */
function blocksOf(events: readonly unknown[]): string[] {
  const blocks: string[] = [];
  let open = false;
  for (const event of events) {
    const text = JSON.stringify(event);
    if (text.includes('content_block_start')) {
      expect(open).toBe(false);
      open = true;
      blocks.push(
        /"(?:name|type)":"(\w+)"(?!.*"name":)/.exec(text.slice(text.indexOf('content_block":')))?.[1] ?? '',
      );
    } else if (text.includes('signature_delta')) {
      expect(text).toMatch(/"signature":"parley\./);
    } else if (text.includes('content_block_delta')) {
      expect([open, text]).toEqual([true, expect.stringContaining(`"index":${blocks.length - 1}`)]);
      const json: unknown = JSON.parse(
        /"(?:text|thinking|partial_json)":("(?:[^"\\]|\\.)*")/.exec(text)?.[1] ?? '""',
      );
      blocks.push(`${blocks.pop() ?? ''} ${String(json)}`);
    } else if (text.includes('content_block_stop')) open = false;
  }
  expect(open).toBe(false);
  return blocks;
}

describe('MessageWriter', () => {
  it('opens a block for each kind, and another one if the kind recurs', () => {
    const events = write([{ reasoning: 'a' }, { reasoning: 'b' }, { content: 'c' }, { reasoning: 'd' }]);
    expect(blocksOf(events)).toEqual(['thinking a b', 'text c', 'thinking d']);
  });

  it('writes no block if there is no answer', () => {
    expect(write([{ role: 'assistant', content: '' }])).toMatchObject([
      { type: 'message_start', message: { model: 'host/m', content: [] } },
      { type: 'message_delta', delta: { stop_reason: 'end_turn' } },
      { type: 'message_stop' },
    ]);
  });

  it('streams a call as it arrives, and the next one once it is complete', () => {
    const events = write([call(0, '', 'a'), call(0, '{"x"'), call(0, ':1}'), call(1, '{}', 'b')]);
    expect(blocksOf(events)).toEqual(['a {"x" :1}', 'b {}']);
  });

  it('separates calls whose fragments arrive interleaved', () => {
    const events = write([
      call(0, '', 'a'),
      call(1, '', 'b'),
      call(0, '{"x"'),
      call(1, '{"y"'),
      call(0, ':1}'),
      call(1, ':2}'),
      call(2, '', 'c'),
    ]);
    expect(blocksOf(events)).toEqual(['a {"x" :1}', 'b {"y":2}', 'c']);
  });

  it.each([
    ['stop', 'end_turn'],
    ['length', 'max_tokens'],
    ['tool_calls', 'tool_use'],
    ['function_call', 'tool_use'],
    ['content_filter', 'refusal'],
  ] as const)('converts the finish reason %s to %s', (reason, stop_reason) => {
    expect(write([{ content: 'a' }], reason).at(-2)).toMatchObject({ delta: { stop_reason } });
  });

  it('corrects a host that reports stop after a call', () => {
    expect(write([call(0, '{}', 'a')]).at(-2)).toMatchObject({ delta: { stop_reason: 'tool_use' } });
  });

  it('returns the stop sequence if the host reports it', () => {
    expect(write([{ content: 'a' }], 'stop', { stop_reason: 'END' }).at(-2)).toMatchObject({
      delta: { stop_reason: 'stop_sequence', stop_sequence: 'END' },
    });
  });

  it('reports a refusal and its text', () => {
    const events = write([{ refusal: 'I will' }, { refusal: ' not.' }]);
    expect(blocksOf(events)).toEqual(['text I will  not.']);
    expect(events.at(-2)).toMatchObject({
      delta: { stop_reason: 'refusal', stop_details: { type: 'refusal', explanation: 'I will not.' } },
    });
  });

  it('counts cache reads and writes separately', () => {
    expect(write([{ content: 'a' }]).at(-2)).toMatchObject({
      usage: {
        input_tokens: 5,
        cache_read_input_tokens: 30,
        cache_creation_input_tokens: 6,
        output_tokens: 17,
        output_tokens_details: { thinking_tokens: 2 },
      },
    });
  });

  it('writes only the first choice, because a message is a single answer', () => {
    expect(blocksOf(write([{ content: 'a' }], 'stop', { index: 1, delta: { content: 'x' } }))).toEqual([
      'text a',
    ]);
  });

  it('creates an id for a call without one, and starts its block even without arguments', () => {
    const events = write([
      { tool_calls: [{ index: 0 }] },
      { tool_calls: [{ index: 0, function: { name: 'a' } }] },
    ]);
    expect(events.find((event) => JSON.stringify(event).includes('tool_use'))).toMatchObject({
      content_block: { type: 'tool_use', id: expect.stringMatching(/^toolu_/), name: 'a', input: {} },
    });
    expect(blocksOf(events)).toEqual(['a']);
  });

  it('seals the data that the provider needs back with the tool results', () => {
    const data: Delta = {
      ...call(0, '{}', 'a'),
      ...{ reasoning_details: [{ type: 'reasoning.encrypted', data: 'x' }] },
    };
    expect(JSON.stringify(write([data]))).toMatch(/"redacted_thinking","data":"parley\./);
    expect(JSON.stringify(write([call(0, '{}', 'a')]))).not.toContain('redacted_thinking');
  });
});
