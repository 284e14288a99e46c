import { describe, expect, it } from '@jest/globals';
import { CompletionAssembler, ProviderError, type ProviderEvent } from '../../port/index.js';
import { MessageStreamReader } from './message-stream-reader.js';

/** A stream of the protocol, shortened. */
const STREAM = [
  '{"type":"message_start","message":{"model":"m","id":"msg_01","role":"assistant","usage":{"input_tokens":3,"output_tokens":1}}}',
  '{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}',
  '{"type": "ping"}',
  '{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Grüße 👋"}}',
  '{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"!"}}',
  '{"type":"content_block_stop","index":0}',
  '{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":2}}',
  '{"type":"message_stop"}',
];

const bytesOf = (data: readonly string[]): Uint8Array =>
  new TextEncoder().encode(data.map((text) => `event: any\ndata: ${text}\n\n`).join(''));

/** Reads a stream that arrives in pieces of this many bytes. */
function* read(
  data: readonly string[],
  pieceLength = Number.POSITIVE_INFINITY,
): Generator<ProviderEvent, void> {
  const reader = new MessageStreamReader({ model: 'm', created: 1 });
  const bytes = bytesOf(data);
  const length = Math.min(pieceLength, bytes.length);
  for (let from = 0; from < bytes.length; from += length)
    yield* reader.push(bytes.subarray(from, from + length));
  yield* reader.end();
}

const textsOf = (events: Iterable<ProviderEvent>): string[] =>
  Array.from(events).flatMap((event) =>
    event.type === 'chunk' ? event.chunk.choices.map(({ delta }) => delta.content ?? '') : [],
  );

/** Returns the events before the stream failed, and the error. */
function failureOf(data: readonly string[]): { seen: ProviderEvent[]; error: ProviderError } {
  const seen: ProviderEvent[] = [];
  try {
    for (const event of read(data)) seen.push(event);
  } catch (error) {
    if (error instanceof ProviderError) return { seen, error };
  }
  throw new Error('The stream was expected to fail with a ProviderError.');
}

describe('MessageStreamReader', () => {
  it.each([1, 7, 4096])('reads a stream in pieces of %i bytes', (pieceLength) => {
    const events = Array.from(read(STREAM, pieceLength));
    expect(textsOf(events)).toEqual(['', 'Grüße 👋', '!', '']);
    expect(events.at(-1)).toMatchObject({ chunk: { choices: [], usage: { total_tokens: 5 } } });
  });

  it('accepts a stop reason without message_stop as the end', () => {
    expect(Array.from(read(STREAM.slice(0, -1)))).toEqual(Array.from(read(STREAM)));
  });

  it('relays every event unchanged if requested, and the usage with the stop reason', () => {
    const reader = new MessageStreamReader({ model: 'm', created: 1, relay: true });
    const novel = STREAM.toSpliced(3, 0, '{"type":"novelty", "n": 1.0}', 'no JSON', '{}');
    const events = [...reader.push(bytesOf(novel)), ...reader.end()];
    const relayed = events.filter((event) => event.type === 'relayed');
    expect(relayed.map(({ raw }) => raw)).toEqual(STREAM.toSpliced(3, 0, '{"type":"novelty", "n": 1.0}'));
    expect(relayed.every(({ eventName: name }) => name === 'any')).toBe(true);
    expect(events.filter(({ type }) => type === 'skipped')).toHaveLength(2);
    expect(relayed[2]?.chunks).toEqual([]);
    const meant = relayed.flatMap(({ chunks }) => chunks);
    const plain = Array.from(read(STREAM)).flatMap((event) => (event.type === 'chunk' ? [event.chunk] : []));
    // The usage is reported with the stop reason, and again with the events after it.
    expect(meant.slice(0, -1)).toEqual(plain);
    expect(meant.at(-1)).toEqual(plain.at(-1));
  });

  const WHOLE = {
    id: 'msg_01',
    type: 'message',
    role: 'assistant',
    model: 'm',
    content: [
      { type: 'thinking', thinking: 'Hm.', signature: 'sig' },
      { type: 'text', text: 'Hello' },
      { type: 'tool_use', id: 'toolu_1', name: 'f', input: { a: 1 } },
    ],
    stop_reason: 'tool_use',
    stop_sequence: null,
    usage: { input_tokens: 3, output_tokens: 2 },
  };
  const readWhole = (relay: boolean): ProviderEvent[] => {
    const reader = new MessageStreamReader({ model: 'm', created: 1, relay });
    return [...reader.push(new TextEncoder().encode(JSON.stringify(WHOLE))), ...reader.end()];
  };

  it('reads a whole message in place of a stream', () => {
    const assembler = new CompletionAssembler();
    for (const event of readWhole(false)) if (event.type === 'chunk') assembler.add(event.chunk);
    expect(assembler.completion()).toMatchObject({
      id: 'msg_01',
      choices: [
        {
          finish_reason: 'tool_calls',
          message: {
            content: 'Hello',
            tool_calls: [{ id: 'toolu_1', function: { name: 'f', arguments: '{"a":1}' } }],
            provider_data: { blocks: WHOLE.content },
          },
        },
      ],
      usage: { prompt_tokens: 3, completion_tokens: 2 },
    });
  });

  it('relays a whole message in place of a stream as the events of a stream', () => {
    const names = readWhole(true).flatMap((event) => (event.type === 'relayed' ? [event.eventName] : []));
    const block = (deltas: number): string[] => [
      'content_block_start',
      ...Array.from({ length: deltas }, () => 'content_block_delta'),
      'content_block_stop',
    ];
    expect(names).toEqual([
      'message_start',
      ...block(2),
      ...block(1),
      ...block(1),
      'message_delta',
      'message_stop',
    ]);
  });

  it('reads text and thoughts of a block that was not started', () => {
    const unopened = STREAM.filter((data) => !data.includes('content_block_start'));
    expect(textsOf(read(unopened))).toEqual(textsOf(read(STREAM)));
  });

  it('ignores everything after message_stop', () => {
    expect(Array.from(read([...STREAM, '{"type":"error"}', '{']))).toEqual(Array.from(read(STREAM)));
  });

  it('ignores unknown events, and skips and reports those that it cannot read', () => {
    const foreign =
      '{"type":"content_block_delta","index":9,"delta":{"type":"input_json_delta","partial_json":"{}"}}';
    const odd = ['{"type":"weather"}', '{"type":"content_block_delta","ind', '42', '{"a":1}', foreign];
    const events = Array.from(read([...STREAM.slice(0, 4), ...odd, ...STREAM.slice(4)]));
    expect(events.filter(({ type }) => type === 'skipped')).toHaveLength(4);
    expect(textsOf(events)).toEqual(textsOf(read(STREAM)));
  });

  it.each([
    ['cut in mid-answer', STREAM.slice(0, 5)],
    ['with message_stop but without a reason', [...STREAM.slice(0, 6), '{"type":"message_stop"}']],
    ['with nothing in it', []],
  ])('reports %s as broken, even if it closed cleanly', (_name, data) => {
    expect(failureOf(data).error.kind).toBe('broken_answer');
  });

  it('yields the chunks before an error, even if both came in one piece', () => {
    const error = '{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}';
    const failure = failureOf([...STREAM.slice(0, 4), error, ...STREAM.slice(4)]);
    expect(textsOf(failure.seen)).toEqual(['', 'Grüße 👋']);
    expect([failure.error.kind, failure.error.message]).toEqual(['unavailable', 'Overloaded']);
  });
});
