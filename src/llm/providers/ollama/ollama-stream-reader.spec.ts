import { describe, expect, it } from '@jest/globals';
import { type ChatChunk, CompletionAssembler, ProviderError, type ProviderEvent } from '../../port/index.js';
import { OllamaStreamReader } from './ollama-stream-reader.js';

/** Recorded from `POST /api/chat`, shortened. */
const TEXT = [
  '{"model":"llama3.2","created_at":"2025-10-26T17:15:24.097767Z","message":{"role":"assistant","content":"Grüß"},"done":false}',
  '{"model":"llama3.2","created_at":"2025-10-26T17:15:24.109172Z","message":{"role":"assistant","content":" dich 👋"},"done":false}',
  '{"model":"llama3.2","created_at":"2025-10-26T17:15:24.121485Z","message":{"role":"assistant","content":""},"done":true,"done_reason":"stop","total_duration":174560334,"load_duration":101397084,"prompt_eval_count":11,"prompt_eval_duration":13074791,"eval_count":18,"eval_duration":52479709}',
];
const THINKING = [
  '{"model":"qwen3","created_at":"2025-10-26T17:16:01.10Z","message":{"role":"assistant","content":"","thinking":"Okay,"},"done":false}',
  '{"model":"qwen3","created_at":"2025-10-26T17:16:01.20Z","message":{"role":"assistant","content":"","thinking":" greet."},"done":false}',
  '{"model":"qwen3","created_at":"2025-10-26T17:16:01.30Z","message":{"role":"assistant","content":"Hi"},"done":false}',
  '{"model":"qwen3","created_at":"2025-10-26T17:16:01.40Z","done":true,"done_reason":"length","prompt_eval_count":9,"eval_count":4}',
];
const TOOLS = [
  '{"model":"qwen3","created_at":"2025-07-07T20:32:53.844124Z","message":{"role":"assistant","content":"","thinking":"I need the weather."},"done":false}',
  '{"model":"qwen3","created_at":"2025-07-07T20:32:53.844125Z","message":{"role":"assistant","content":"","tool_calls":[{"function":{"name":"get_weather","arguments":{"city":"Tokyo"}}},{"id":"call_7","function":{"index":1,"name":"get_time","arguments":{}}}]},"done":false}',
  '{"model":"qwen3","created_at":"2025-07-07T20:32:53.9Z","message":{"role":"assistant","content":""},"done_reason":"stop","done":true,"prompt_eval_count":169,"eval_count":15}',
];

function makeReader(): OllamaStreamReader {
  let calls = 0;
  const newCallId = (): string => {
    calls += 1;
    return `made-up-${calls}`;
  };
  return new OllamaStreamReader({ id: 'chatcmpl-1', created: 7, model: 'qwen3', newCallId });
}

/** Reads lines to their end, and returns the events and the error after them. */
function readAll(lines: readonly string[], end = '\n'): { events: ProviderEvent[]; error: unknown } {
  const reader = makeReader();
  const events: ProviderEvent[] = [];
  try {
    const bytes = new TextEncoder().encode(lines.map((line) => line + end).join(''));
    for (const event of reader.push(bytes)) events.push(event);
    for (const event of reader.end()) events.push(event);
    return { events, error: undefined };
  } catch (error) {
    return { events, error };
  }
}

function chunksOf(lines: readonly string[]): ChatChunk[] {
  const { events, error } = readAll(lines);
  expect(error).toBeUndefined();
  return events.flatMap((event) => (event.type === 'chunk' ? [event.chunk] : []));
}

function failureOf(lines: readonly string[]): ProviderError {
  const { error } = readAll(lines);
  if (error instanceof ProviderError) return error;
  throw new Error('The stream was expected to fail with a ProviderError.');
}

const deltas = (lines: readonly string[]): unknown[] =>
  chunksOf(lines).map((chunk) => chunk.choices[0]?.delta);

describe('OllamaStreamReader', () => {
  it('yields role, text, finish and usage chunks with one id', () => {
    const common = { id: 'chatcmpl-1', object: 'chat.completion.chunk', created: 7, model: 'qwen3' };
    const choice = (delta: object, finish_reason: string | null = null) => ({
      ...common,
      choices: [{ index: 0, delta, finish_reason }],
    });
    expect(chunksOf(TEXT)).toEqual([
      choice({ role: 'assistant', content: '' }),
      choice({ content: 'Grüß' }),
      choice({ content: ' dich 👋' }),
      choice({}, 'stop'),
      { ...common, choices: [], usage: { prompt_tokens: 11, completion_tokens: 18, total_tokens: 29 } },
    ]);
  });

  const assembled = (message: object): unknown => {
    const assembler = new CompletionAssembler();
    for (const chunk of chunksOf([JSON.stringify({ model: 'm', message, done: true })])) assembler.add(chunk);
    return assembler.completion().choices[0]?.message;
  };
  const calling = (tool_calls: unknown): unknown => assembled({ role: 'assistant', content: '', tool_calls });
  const args = (text: string) => ({ tool_calls: [{ function: { name: 'f', arguments: text } }] });

  it.each([
    ['JSON text', '{"a":1}', '{"a":1}'],
    ['an object', { a: 1 }, '{"a":1}'],
    ['an empty text', '', '{}'],
    ['null', null, '{}'],
  ])('yields the arguments of a call once encoded if they are %s', (_what, given, text) => {
    expect(calling([{ function: { name: 'f', arguments: given } }])).toMatchObject(args(text));
  });

  it('reads a single call outside a list, and a call without the object around its name', () => {
    expect(calling({ function: { name: 'f', arguments: { a: 1 } } })).toMatchObject(args('{"a":1}'));
    expect(calling([{ name: 'f', arguments: { a: 1 } }])).toMatchObject(args('{"a":1}'));
  });

  it('reads content in parts', () => {
    const parts = [
      { type: 'thinking', thinking: 'Hm.' },
      { type: 'text', text: 'Good ' },
      { type: 'text', text: 'day' },
    ];
    expect(assembled({ role: 'assistant', content: parts })).toMatchObject({
      content: 'Good day',
      reasoning_content: 'Hm.',
    });
  });

  it('distinguishes thinking from the text, and a limit that was reached from a stop', () => {
    expect(deltas(THINKING)).toEqual([
      { role: 'assistant', content: '' },
      { reasoning_content: 'Okay,' },
      { reasoning_content: ' greet.' },
      { content: 'Hi' },
      {},
      undefined,
    ]);
    expect(chunksOf(THINKING).at(-2)?.choices[0]?.finish_reason).toBe('length');
  });

  it('converts tool calls, keeps the server’s ids, and keeps the thinking for the next request', () => {
    expect(deltas(TOOLS).slice(2, -1)).toEqual([
      {
        tool_calls: [
          { index: 0, id: 'made-up-1', type: 'function', function: { name: 'get_weather', arguments: '' } },
        ],
      },
      { tool_calls: [{ index: 0, function: { arguments: '{"city":"Tokyo"}' } }] },
      {
        tool_calls: [
          { index: 1, id: 'call_7', type: 'function', function: { name: 'get_time', arguments: '' } },
        ],
      },
      { tool_calls: [{ index: 1, function: { arguments: '{}' } }] },
      { provider_data: { provider: 'ollama', blocks: { thinking: 'I need the weather.' } } },
    ]);
    const assembler = new CompletionAssembler();
    for (const chunk of chunksOf(TOOLS)) assembler.add(chunk);
    expect(assembler.completion()).toMatchObject({
      choices: [
        { finish_reason: 'tool_calls', message: { tool_calls: [{ id: 'made-up-1' }, { id: 'call_7' }] } },
      ],
      usage: { total_tokens: 184 },
    });
  });

  it.each([
    ['CRLF, empty lines and white space', '\r\n\n \t'],
    ['anything after the last object', `\n${TEXT[2] ?? ''}\n`],
  ])('ignores %s', (_name, end) => {
    const [first = '', ...rest] = TEXT;
    const expected = chunksOf(TEXT);
    const lines = end.startsWith('\r') ? TEXT : [first, rest[0] ?? '', rest[1] ?? ''];
    const { events } = end.startsWith('\r') ? readAll(lines, end) : readAll([...lines, end]);
    expect(events.map((event) => (event.type === 'chunk' ? event.chunk : event))).toEqual(expected);
  });

  it('reads a last object without a line end', () => {
    expect(readAll([TEXT.join('\n')], '').events).toHaveLength(5);
  });

  it.each([
    ['load', 'stop'],
    ['unload', 'stop'],
    [undefined, 'stop'],
    ['length', 'length'],
  ])('converts done_reason %s to %s', (done_reason, expected) => {
    const [, finish] = chunksOf([JSON.stringify({ message: { content: '' }, done: true, done_reason })]);
    expect(finish?.choices[0]?.finish_reason).toBe(expected);
  });

  it('reports no usage if the server does not report the prompt, and 0 for an answer without tokens', () => {
    expect(chunksOf(['{"done":true,"eval_count":3}']).at(-1)?.usage).toBeUndefined();
    expect(chunksOf(['{"done":true,"prompt_eval_count":3}']).at(-1)?.usage?.completion_tokens).toBe(0);
  });

  it('reads figures that are numeric strings, and no other strings', () => {
    const last = (more: object) => chunksOf([JSON.stringify({ done: true, ...more })]).at(-1)?.usage;
    expect(last({ prompt_eval_count: '3', eval_count: '4' })).toMatchObject({ total_tokens: 7 });
    for (const prompt_eval_count of [-1, 1.5, 'many', null, [3]])
      expect(last({ prompt_eval_count })).toBeUndefined();
  });

  it('skips and reports a line that it cannot read', () => {
    const broken = ['{"mess', '42', 'null', '[]', '{"status":"loading"}'];
    const unnamed = '{"message":{"tool_calls":[{"function":{"arguments":{}}},null]},"done":false}';
    const { events, error } = readAll([...broken, TEXT[0] ?? '', unnamed, ...TEXT.slice(1)]);
    expect(error).toBeUndefined();
    expect(events.filter(({ type }) => type === 'skipped')).toHaveLength(7);
    expect(events.filter(({ type }) => type === 'chunk')).toHaveLength(5);
  });

  it.each([
    ['without a last object', TEXT.slice(0, 2)],
    ['with half a last object', [...TEXT.slice(0, 2), TEXT[2]?.slice(0, 90) ?? '']],
    ['with nothing in it', []],
  ])('reports a stream %s as broken, even if it closed cleanly', (_name, lines) => {
    expect(failureOf(lines).kind).toBe('broken_answer');
  });

  it('throws an error inside the stream after the events before it', () => {
    const { events, error } = readAll([
      TEXT[0] ?? '',
      '{"error":"an error was encountered while running the model: EOF"}',
    ]);
    expect(events).toHaveLength(2);
    expect(error).toMatchObject({
      kind: 'broken_answer',
      message: 'an error was encountered while running the model: EOF',
    });
  });
});
