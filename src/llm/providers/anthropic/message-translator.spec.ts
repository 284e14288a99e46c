import { describe, expect, it } from '@jest/globals';
import { CompletionAssembler, type ProviderEvent } from '../../port/index.js';
import { MessageTranslator } from './message-translator.js';

// Events of the protocol, shortened.
const START =
  '{"type":"message_start","message":{"model":"claude-opus-5-5","id":"msg_01","type":"message","role":"assistant","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":12,"cache_creation_input_tokens":30,"cache_read_input_tokens":100,"cache_creation":{"ephemeral_5m_input_tokens":30,"ephemeral_1h_input_tokens":0},"output_tokens":1,"service_tier":"standard"}}}';
const PING = '{"type": "ping"}';
const STOP = '{"type":"message_stop"}';
const end = (reason: string, more = ''): string =>
  `{"type":"message_delta","delta":{"stop_reason":"${reason}","stop_sequence":null${more}},"usage":{"output_tokens":25}}`;
const open = (index: number, block: string): string =>
  `{"type":"content_block_start","index":${index},"content_block":${block}}`;
const add = (index: number, delta: string): string =>
  `{"type":"content_block_delta","index":${index},"delta":${delta}}`;
const close = (index: number): string => `{"type":"content_block_stop","index":${index}}`;

const TEXT = [
  START,
  open(0, '{"type":"text","text":""}'),
  PING,
  add(0, '{"type":"text_delta","text":"Hello"}'),
  add(0, '{"type":"text_delta","text":"!"}'),
  close(0),
  end('end_turn'),
  STOP,
];

const THINKING = [
  START,
  open(0, '{"type":"thinking","thinking":"","signature":""}'),
  add(0, '{"type":"thinking_delta","thinking":"Let me "}'),
  add(0, '{"type":"thinking_delta","thinking":"see."}'),
  add(0, '{"type":"signature_delta","signature":"EqQBCgIYAhIM"}'),
  close(0),
  open(1, '{"type":"redacted_thinking","data":"EmwKAhgBEgy3"}'),
  close(1),
  open(2, '{"type":"text","text":""}'),
  add(2, '{"type":"text_delta","text":"27 * 453 = 12,231"}'),
  close(2),
  '{"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":90,"output_tokens_details":{"thinking_tokens":70}}}',
  STOP,
];

const TOOLS = [
  START,
  open(0, '{"type":"text","text":""}'),
  add(0, '{"type":"text_delta","text":"I look."}'),
  close(0),
  open(1, '{"type":"tool_use","id":"toolu_01","name":"get_weather","input":{}}'),
  add(1, '{"type":"input_json_delta","partial_json":""}'),
  add(1, '{"type":"input_json_delta","partial_json":"{\\"location\\":"}'),
  add(1, '{"type":"input_json_delta","partial_json":" \\"Paris\\"}"}'),
  close(1),
  open(2, '{"type":"tool_use","id":"toolu_02","name":"get_time","input":{}}'),
  add(2, '{"type":"input_json_delta","partial_json":""}'),
  close(2),
  end('tool_use'),
  STOP,
];

function read(data: readonly string[]): ProviderEvent[] {
  const translator = new MessageTranslator({ model: 'asked', created: 7 });
  const events = data.flatMap((text) => translator.translate(new Object(JSON.parse(text))));
  return [...events, ...translator.lastChunk()];
}

const deltasOf = (events: readonly ProviderEvent[]): unknown[] =>
  events.flatMap((event) =>
    event.type === 'chunk' ? event.chunk.choices.map(({ delta, finish_reason: end }) => [delta, end]) : [],
  );

function answerOf(data: readonly string[]): ReturnType<CompletionAssembler['completion']> {
  const assembler = new CompletionAssembler();
  for (const event of read(data)) if (event.type === 'chunk') assembler.add(event.chunk);
  return assembler.completion();
}

describe('MessageTranslator', () => {
  it.each([
    ['its delta', '{}', '{"type":"input_json_delta","partial_json":{"a":1}}'],
    ['its start', '{"a":1}', '{"type":"input_json_delta","partial_json":""}'],
    ['its start, as JSON text', '"{\\"a\\":1}"', '{"type":"input_json_delta","partial_json":""}'],
  ])('reads the input of a tool call that comes whole in %s', (_where, input, delta) => {
    const assembler = new CompletionAssembler();
    const translator = new MessageTranslator({ model: 'm', created: 1 });
    const start = open(0, `{"type":"tool_use","id":"toolu_01","name":"f","input":${input}}`);
    for (const data of [START, start, add(0, delta), close(0), end('tool_use')]) {
      const event: unknown = JSON.parse(data);
      if (typeof event !== 'object' || event === null) throw new Error('An event is an object.');
      for (const one of translator.translate(event)) if (one.type === 'chunk') assembler.add(one.chunk);
    }
    expect(assembler.completion().choices[0]?.message.tool_calls).toMatchObject([
      { function: { arguments: '{"a":1}' } },
    ]);
  });

  it('converts a text to chunks, with the usage last', () => {
    const events = read(TEXT);
    expect(deltasOf(events)).toEqual([
      [{ role: 'assistant', content: '' }, null],
      [{ content: 'Hello' }, null],
      [{ content: '!' }, null],
      [{}, 'stop'],
    ]);
    expect(events.at(-1)).toEqual({
      type: 'chunk',
      chunk: {
        id: 'msg_01',
        object: 'chat.completion.chunk',
        created: 7,
        model: 'claude-opus-5-5',
        choices: [],
        usage: {
          prompt_tokens: 142,
          completion_tokens: 25,
          total_tokens: 167,
          prompt_tokens_details: { cached_tokens: 100, cache_write_tokens: 30 },
        },
      },
    });
  });

  it('converts thinking to reasoning, and returns all blocks with the finish reason, to be sent back unchanged', () => {
    const deltas = deltasOf(read(THINKING));
    expect(deltas.slice(1, 4)).toEqual([
      [{ reasoning_content: 'Let me ' }, null],
      [{ reasoning_content: 'see.' }, null],
      [{ content: '27 * 453 = 12,231' }, null],
    ]);
    const blocks = [
      { type: 'thinking', thinking: 'Let me see.', signature: 'EqQBCgIYAhIM' },
      { type: 'redacted_thinking', data: 'EmwKAhgBEgy3' },
      { type: 'text', text: '27 * 453 = 12,231' },
    ];
    expect(deltas.at(-1)).toEqual([{ provider_data: { provider: 'anthropic', blocks } }, 'stop']);
    expect(answerOf(THINKING).usage?.completion_tokens_details).toEqual({ reasoning_tokens: 70 });
  });

  it('converts tool calls with a rising index, and {} for a tool without parameters', () => {
    const deltas = deltasOf(read(TOOLS));
    expect(deltas.slice(2)).toEqual([
      [
        {
          tool_calls: [
            { index: 0, id: 'toolu_01', type: 'function', function: { name: 'get_weather', arguments: '' } },
          ],
        },
        null,
      ],
      [{ tool_calls: [{ index: 0, function: { arguments: '{"location":' } }] }, null],
      [{ tool_calls: [{ index: 0, function: { arguments: ' "Paris"}' } }] }, null],
      [
        {
          tool_calls: [
            { index: 1, id: 'toolu_02', type: 'function', function: { name: 'get_time', arguments: '' } },
          ],
        },
        null,
      ],
      [{ tool_calls: [{ index: 1, function: { arguments: '{}' } }] }, null],
      [{}, 'tool_calls'],
    ]);
  });

  it('keeps citations, which the canonical format has no field for', () => {
    const citation = '{"type":"char_location","cited_text":"The grass is green.","document_index":0}';
    const stream = TEXT.toSpliced(4, 0, add(0, `{"type":"citations_delta","citation":${citation}}`));
    const blocks = [{ type: 'text', text: 'Hello!', citations: [JSON.parse(citation)] }];
    expect(deltasOf(read(stream)).at(-1)).toEqual([
      { provider_data: { provider: 'anthropic', blocks } },
      'stop',
    ]);
  });

  it('omits from the returned blocks those that the provider would refuse: cut off or unsigned', () => {
    const cut = [...THINKING.slice(0, 4), end('max_tokens'), STOP];
    expect(deltasOf(read(cut)).at(-1)).toEqual([{}, 'length']);
  });

  it.each([
    ['end_turn', 'stop'],
    ['stop_sequence', 'stop'],
    ['pause_turn', 'stop'],
    ['max_tokens', 'length'],
    ['model_context_window_exceeded', 'length'],
    ['tool_use', 'tool_calls'],
    ['refusal', 'content_filter'],
    ['of_tomorrow', 'stop'],
  ])('converts the stop reason %s to %s', (reason, expected) => {
    expect(answerOf(TEXT.with(6, end(reason))).choices[0]?.finish_reason).toBe(expected);
  });

  it('returns the model’s explanation of a refusal', () => {
    const details = ',"stop_details":{"type":"refusal","category":"bio","explanation":"Not this."}';
    const message = answerOf([START, end('refusal', details), STOP]).choices[0]?.message;
    expect(message).toMatchObject({ content: '', refusal: 'Not this.' });
  });

  it.each([
    ['blocks that come whole, usage at the end only, no message_stop', [close(1)]],
    ['the same, and no content_block_stop', []],
  ])('tolerates deviations of hosts that copy the protocol: %s', (_what, stop) => {
    const stream = [
      '{"type":"message_start","message":{"id":"m","role":"assistant","usage":{"input_tokens":0,"output_tokens":0}}}',
      open(0, '{"type":"text","text":"Hi"}'),
      open(1, '{"type":"tool_use","id":"t","name":"f","input":{"a":1}}'),
      ...stop,
      '{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"input_tokens":9,"output_tokens":4}}',
    ];
    const { model, choices, usage } = answerOf(stream);
    expect(choices[0]).toMatchObject({
      finish_reason: 'tool_calls',
      message: { content: 'Hi', tool_calls: [{ function: { name: 'f', arguments: '{"a":1}' } }] },
    });
    expect([model, usage?.prompt_tokens, usage?.completion_tokens]).toEqual(['asked', 9, 4]);
  });

  it.each(['text_delta', 'thinking_delta', 'input_json_delta', 'signature_delta', 'delta_of_tomorrow'])(
    'ignores an empty %s without losing anything',
    (type) => {
      expect(deltasOf(read(TEXT.toSpliced(4, 0, add(0, `{"type":"${type}"}`))))).toEqual(
        deltasOf(read(TEXT)),
      );
    },
  );

  it('skips an invalid block, and the arguments that would be added to it', () => {
    const events = read([
      START,
      open(0, 'null'),
      add(0, '{"type":"input_json_delta","partial_json":"{}"}'),
      ...TEXT.slice(1),
    ]);
    expect(events.filter(({ type }) => type === 'skipped')).toHaveLength(2);
    expect(deltasOf(events)).toEqual(deltasOf(read(TEXT)));
  });

  it('keeps a call that has no id, no name and no input', () => {
    const { choices } = answerOf([START, open(0, '{"type":"tool_use"}'), close(0), end('tool_use'), STOP]);
    expect(choices[0]).toMatchObject({
      finish_reason: 'tool_calls',
      message: { tool_calls: [{ id: '', function: { name: '', arguments: '{}' } }] },
    });
  });

  it('returns a call whose input came at once, but no empty text, which the provider refuses', () => {
    const call = '{"type":"tool_use","id":"t","name":"f","input":{"a":1}}';
    const stream = [
      ...THINKING.slice(0, 6),
      open(1, '{"type":"text","text":""}'),
      close(1),
      open(2, call),
      close(2),
      end('tool_use'),
    ];
    const blocks = [
      { type: 'thinking', thinking: 'Let me see.', signature: 'EqQBCgIYAhIM' },
      JSON.parse(call),
    ];
    expect(deltasOf(read(stream)).at(-1)).toEqual([
      { provider_data: { provider: 'anthropic', blocks } },
      'tool_calls',
    ]);
  });
});
