import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { type EventFrame, EventStreamError, EventStreamReader } from './event-stream.js';

const encode = (text: string): Uint8Array => new TextEncoder().encode(text);

function readAll(text: string): EventFrame[] {
  const reader = new EventStreamReader();
  return [...reader.push(encode(text)), ...reader.end()];
}

describe('EventStreamReader', () => {
  it('joins data lines, returns the event name, and ignores everything else', () => {
    const stream = ': ping\nid: 7\nretry: 10\nevent: delta\ndata: one\ndata: two\nother: x\n\ndata:tight\n\n';
    expect(readAll(stream)).toEqual([
      { event: 'delta', data: 'one\ntwo' },
      { event: '', data: 'tight' },
    ]);
  });

  it('drops an event without its closing blank line', () => {
    expect(readAll('data: whole\n\ndata: half\n')).toEqual([{ event: '', data: 'whole' }]);
  });

  it('ignores an event without data', () => {
    expect(readAll('event: ping\n\ndata: x\n\n')).toEqual([{ event: '', data: 'x' }]);
  });

  it('ignores a byte order mark', () => {
    expect(readAll('\uFEFFdata: x\n\n')).toEqual([{ event: '', data: 'x' }]);
  });

  it('completes the last event if it ends with a lone carriage return', () => {
    expect(readAll('data: x\r\r')).toEqual([{ event: '', data: 'x' }]);
  });

  it('rejects an event that grows without bound, in one line or in many', () => {
    const piece = encode('x'.repeat(1024 * 1024));
    const oneLine = new EventStreamReader();
    oneLine.push(encode('data: '));
    expect(() => {
      for (let count = 0; count < 20; count += 1) oneLine.push(piece);
    }).toThrow(EventStreamError);
    const manyLines = new EventStreamReader();
    expect(() => {
      for (let count = 0; count < 20; count += 1)
        manyLines.push(encode(`data: ${'x'.repeat(1024 * 1024)}\n`));
    }).toThrow(EventStreamError);
  });

  it('reads the same events regardless of chunk boundaries and line endings', () => {
    const data = fc
      .string({ unit: 'grapheme', maxLength: 20 })
      .map((text) => text.replace(/[\r\n\uFEFF]/gu, ' '));
    const events = fc.array(
      fc.record({
        event: fc.constantFrom('', 'delta', 'stop'),
        data: fc.array(data, { minLength: 1, maxLength: 3 }),
      }),
    );
    fc.assert(
      fc.property(
        events,
        fc.constantFrom('\n', '\r\n', '\r'),
        fc.array(fc.integer({ min: 1, max: 7 }), { minLength: 1 }),
        (list, end, sizes) => {
          const text = list
            .map(({ event, data: lines }) =>
              [
                ...(event === '' ? [] : [`event: ${event}`]),
                ...lines.map((line) => `data: ${line}`),
                '',
                '',
              ].join(end),
            )
            .join('');
          const bytes = encode(text);
          const reader = new EventStreamReader();
          const frames: EventFrame[] = [];
          for (let from = 0, turn = 0; from < bytes.length; turn += 1) {
            const size = sizes[turn % sizes.length] ?? 1;
            frames.push(...reader.push(bytes.subarray(from, from + size)));
            from += size;
          }
          frames.push(...reader.end());
          expect(frames).toEqual(list.map(({ event, data: lines }) => ({ event, data: lines.join('\n') })));
        },
      ),
    );
  });
});
