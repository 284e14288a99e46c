import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { CompletionAssembler, ProviderError, type ProviderEvent } from '../../port/index.js';
import { isCanonicalChunk, isObject } from './canonical-chunk.js';
import { newAnswerMetadata } from './chunk-normalizer.js';
import { readOpenAiEmbeddings } from './embedding-reply.js';
import { readListedModels } from './listed-models.js';
import { ChatStreamReader } from './chat-stream-reader.js';
import { parseCompletionResponse } from './completion-response.js';

const read = (text: string): ProviderEvent[] => {
  const reader = new ChatStreamReader(newAnswerMetadata('m'));
  return [...reader.push(Buffer.from(text)), ...reader.end()];
};
const sse = (frames: readonly unknown[]): string =>
  [...frames.map((frame) => JSON.stringify(frame)), '[DONE]'].map((data) => `data: ${data}\n\n`).join('');
const messageOf = (frames: readonly unknown[]) => {
  const assembler = new CompletionAssembler();
  for (const event of read(sse(frames))) if (event.type === 'chunk') assembler.add(event.chunk);
  return assembler.completion().choices[0];
};
const delta = (value: unknown, finish_reason: unknown = null): object => ({
  choices: [{ index: 0, delta: value, finish_reason }],
});
const call = (more: object): object => delta({ tool_calls: [more] });
const failureOf = (act: () => unknown): unknown => {
  try {
    return act();
  } catch (error) {
    return error;
  }
};

describe('a streamed answer', () => {
  it.each<[string, object[], object]>([
    [
      'content in parts',
      [
        delta({ content: [{ type: 'thinking', thinking: [{ type: 'text', text: 'Hm' }] }] }),
        delta({ content: [{ type: 'text', text: 'Hello' }] }),
        delta({ content: ' you' }, 'stop'),
      ],
      { content: 'Hello you', reasoning_content: 'Hm' },
    ],
    [
      'a finish without a delta',
      [delta({ content: 'Bad' }), { choices: [{ index: 0, finish_reason: 'content_filter' }] }],
      { content: 'Bad' },
    ],
    [
      'a whole message repeated at the end',
      [delta({ content: 'a' }), { choices: [{ message: { content: 'a' }, finish_reason: 'stop' }] }],
      { content: 'a' },
    ],
    [
      'a choice without index',
      [{ choices: [{ delta: { content: 'a' }, finish_reason: 'eos' }] }],
      { content: 'a' },
    ],
    ['empty finish reasons', [delta({ content: 'a' }, ''), delta({}, '')], { content: 'a' }],
  ])('with %s is complete', (_what, frames, message) => {
    expect(messageOf(frames)?.message).toMatchObject(message);
  });

  it.each<[string, object[], string[]]>([
    [
      'arguments as an object',
      [call({ index: 0, id: 'a', function: { name: 'f', arguments: { n: 1 } } })],
      ['a f {"n":1}'],
    ],
    [
      'no index',
      [
        call({ id: 'a', function: { name: 'f', arguments: '{}' } }),
        call({ id: 'b', function: { name: 'g', arguments: '{}' } }),
      ],
      ['a f {}', 'b g {}'],
    ],
    [
      'one index for all',
      [
        call({ index: 0, id: 'a', function: { name: 'f', arguments: '{}' } }),
        call({ index: 0, id: 'b', function: { name: 'f', arguments: '{' } }),
        call({ index: 0, function: { arguments: '}' } }),
      ],
      ['a f {}', 'b f {}'],
    ],
    [
      'a late name',
      [
        call({ index: 0, id: 'a', function: { arguments: '{' } }),
        call({ index: 0, function: { name: 'f', arguments: '}' } }),
      ],
      ['a f {}'],
    ],
    [
      'id and name on every fragment',
      [
        call({ index: 0, id: 'a', type: 'function', function: { name: 'f', arguments: '{' } }),
        call({ index: 0, id: 'a', type: 'function', function: { name: 'f', arguments: '}' } }),
      ],
      ['a f {}'],
    ],
  ])('with tool calls that have %s keeps them apart', (_what, frames, calls) => {
    const received = messageOf([...frames, delta({}, 'tool_calls')])?.message.tool_calls ?? [];
    expect(
      received.map(
        (one) => one.type === 'function' && `${one.id} ${one.function.name} ${one.function.arguments}`,
      ),
    ).toEqual(calls);
  });

  it('that breaks off inside its first event may be requested again', () => {
    expect(failureOf(() => read('data: {"choices":[{"de'))).toMatchObject({ kind: 'broken_answer' });
  });

  it('with an error inside a choice fails', () => {
    const broken = {
      choices: [{ index: 0, delta: {}, finish_reason: 'error', error: { code: 502, message: 'Gone.' } }],
    };
    expect(failureOf(() => read(sse([delta({ content: 'Hel' }), broken])))).toMatchObject({
      kind: 'broken_answer',
      message: 'Gone.',
    });
  });

  it.each([
    ['JSON', JSON.stringify({ choices: [{ message: { content: 'Hi' } }] })],
    [
      'chunks, one a line',
      `${JSON.stringify(delta({ content: 'Hi' }))}\n${JSON.stringify(delta({}, 'stop'))}\n`,
    ],
    [
      'chunks, one a line, and the end marker',
      `${JSON.stringify(delta({ content: 'Hi' }))}\n${JSON.stringify(delta({}, 'stop'))}\n[DONE]\n`,
    ],
    [
      'JSON after much white space',
      ' \n'.repeat(99) + JSON.stringify({ choices: [{ message: { content: 'Hi' } }] }),
    ],
    [
      'events without the last empty line',
      sse([delta({ content: 'Hi' }, 'stop')]).replace(/\n\ndata: .DONE.\n\n$/, ''),
    ],
  ])('that is sent as %s is read nevertheless', (_what, body) => {
    const text = read(body).map((event) =>
      event.type === 'chunk' ? (event.chunk.choices[0]?.delta.content ?? '') : '',
    );
    expect(text.join('')).toBe('Hi');
  });

  it.each(['<html>no</html>', 'Internal error', 'data: {broken\n\n', '{"a":}', '7'])(
    'is reported as unreadable if it is %j',
    (body) => {
      expect(failureOf(() => read(body))).toMatchObject({ kind: 'unreadable_answer' });
    },
  );
});

describe('a whole answer', () => {
  it.each([null, '', undefined, 'eos'])('with the finish reason %j is complete', (finish_reason) => {
    const text = JSON.stringify({ choices: [{ index: 0, message: { content: 'Hello' }, finish_reason }] });
    expect(parseCompletionResponse(text, newAnswerMetadata('m')).completion.choices).toMatchObject([
      { message: { content: 'Hello' }, finish_reason: 'stop' },
    ]);
  });

  it.each(['', '\n', '\n[DONE]\n', '\ndata: [DONE]'])(
    'that was sent as chunks, one a line, is assembled: %j',
    (end) => {
      const lines = [delta({ content: 'a' }), delta({ content: 'b' }, 'stop')].map((chunk) =>
        JSON.stringify(chunk),
      );
      const { completion } = parseCompletionResponse(lines.join('\n') + end, newAnswerMetadata('m'));
      expect(completion.choices[0]?.message.content).toBe('ab');
    },
  );

  it('that was streamed is assembled', () => {
    const { completion } = parseCompletionResponse(
      sse([delta({ content: 'a' }), delta({ content: 'b' }, 'stop')]),
      newAnswerMetadata('m'),
    );
    expect(completion.choices[0]?.message.content).toBe('ab');
  });

  it('may be requested again if it was cut off, but not if it is not JSON', () => {
    expect(
      failureOf(() => parseCompletionResponse('{"choices":[{"mess', newAnswerMetadata('m'))),
    ).toMatchObject({
      kind: 'broken_answer',
    });
    expect(failureOf(() => parseCompletionResponse('<html></html>', newAnswerMetadata('m')))).toMatchObject({
      kind: 'unreadable_answer',
    });
  });
});

it('readOpenAiEmbeddings returns vectors as lists of numbers, regardless of their encoding', () => {
  const data = [
    { index: '1', embedding: ['x'] },
    { index: 0, embedding: [1] },
  ];
  expect(readOpenAiEmbeddings('{"data":[{"index":0,"embedding":"AACAPwAAAAA="}]}', 1).vectors).toEqual([
    [1, 0],
  ]);
  expect(failureOf(() => readOpenAiEmbeddings(JSON.stringify({ data }), 2))).toMatchObject({
    kind: 'unreadable_answer',
  });
});

it.each([
  '[{"id":"a","context_length":8}]',
  '{"models":[{"name":"a","context_length":"8"}]}',
  '{"data":[{"id":"a","context_length":8},{}]}',
])('readListedModels reads the models from %s', (text) => {
  expect(readListedModels(text)).toEqual([{ id: 'a', contextWindow: 8 }]);
});

describe('arbitrary JSON of a host', () => {
  const loose = fc.oneof(
    fc.jsonValue(),
    fc.record(
      {
        choices: fc.array(
          fc.record(
            {
              index: fc.jsonValue(),
              delta: fc.oneof(
                fc.jsonValue(),
                fc.record(
                  { content: fc.jsonValue(), tool_calls: fc.jsonValue(), reasoning_content: fc.jsonValue() },
                  { requiredKeys: [] },
                ),
              ),
              message: fc.jsonValue(),
              finish_reason: fc.jsonValue(),
            },
            { requiredKeys: [] },
          ),
        ),
        usage: fc.jsonValue(),
      },
      { requiredKeys: [] },
    ),
  );
  const orFailure = (act: () => void): void => {
    const failure = failureOf(act);
    if (failure !== undefined) expect(failure).toBeInstanceOf(ProviderError);
  };

  it('becomes canonical chunks or a failure of our kinds in a stream', () => {
    fc.assert(
      fc.property(fc.array(loose), (frames) => {
        orFailure(() => {
          for (const event of read(sse(frames))) {
            if (event.type !== 'chunk') continue;
            const written: unknown = JSON.parse(event.raw ?? '{}');
            expect(isObject(written) && isCanonicalChunk(written)).toBe(true);
          }
        });
      }),
    );
  });

  it('becomes a whole answer, a list, vectors or a failure of our kinds', () => {
    fc.assert(
      fc.property(loose, (value) => {
        const text = JSON.stringify(value);
        orFailure(() => {
          for (const { message } of parseCompletionResponse(text, newAnswerMetadata('m')).completion
            .choices) {
            expect(message.content === null || typeof message.content === 'string').toBe(true);
          }
        });
        orFailure(() => void readListedModels(text));
        orFailure(() => void readOpenAiEmbeddings(text, 1));
      }),
    );
  });
});
