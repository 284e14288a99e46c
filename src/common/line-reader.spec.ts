import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { LineReader, LineTooLongError } from './line-reader.js';

const encode = (text: string): Uint8Array => new TextEncoder().encode(text);

function readAll(text: string): string[] {
  const reader = new LineReader();
  return [...reader.push(encode(text)), ...reader.end()];
}

describe('LineReader', () => {
  it.each([
    ['LF and CRLF', 'one\ntwo\r\nthree\n', ['one', 'two', 'three']],
    ['a last line without an end', 'one\ntwo', ['one', 'two']],
    ['empty lines', '\n\r\n\nx\n', ['', '', '', 'x']],
    ['a carriage return within a line', 'one\rtwo\n', ['one\rtwo']],
    ['a byte order mark', '\uFEFFone\n', ['one']],
    ['nothing', '', []],
  ])('reads %s', (_name, text, lines) => {
    expect(readAll(text)).toEqual(lines);
  });

  it('returns a line with the bytes that complete it', () => {
    const reader = new LineReader();
    expect(reader.push(encode('on'))).toEqual([]);
    expect(reader.push(encode('e\r'))).toEqual([]);
    expect(reader.push(encode('\ntwo\nth'))).toEqual(['one', 'two']);
    expect(reader.end()).toEqual(['th']);
  });

  it('replaces an incomplete code point with U+FFFD', () => {
    const reader = new LineReader();
    expect(reader.push(new Uint8Array([0xf0, 0x9f]))).toEqual([]);
    expect(reader.end()).toEqual(['\uFFFD']);
  });

  it('rejects a line that exceeds the maximum length, with or without a line end', () => {
    const growing = new LineReader({ maxLength: 10 });
    growing.push(encode('12345'));
    expect(() => growing.push(encode('678901'))).toThrow(LineTooLongError);
    expect(() => new LineReader({ maxLength: 10 }).push(encode('12345678901\n'))).toThrow(LineTooLongError);
    expect(new LineReader({ maxLength: 10 }).push(encode('1234567890\r\n'.repeat(3)))).toHaveLength(3);
  });

  it('reads any number of short lines', () => {
    const reader = new LineReader({ maxLength: 4 });
    for (let count = 0; count < 100; count += 1) expect(reader.push(encode('1\n2\n3'))).toHaveLength(2);
  });

  it('reads the same lines regardless of chunk boundaries and line endings', () => {
    const line = fc
      .string({ unit: 'grapheme', maxLength: 20 })
      .map((text) => text.replace(/[\r\n\uFEFF]/gu, ' '));
    fc.assert(
      fc.property(
        fc.array(line),
        fc.constantFrom('\n', '\r\n'),
        fc.array(fc.integer({ min: 1, max: 7 }), { minLength: 1 }),
        (lines, end, sizes) => {
          const bytes = encode(lines.map((text) => text + end).join(''));
          const reader = new LineReader();
          const read: string[] = [];
          for (let from = 0, turn = 0; from < bytes.length; turn += 1) {
            const size = sizes[turn % sizes.length] ?? 1;
            read.push(...reader.push(bytes.subarray(from, from + size)));
            from += size;
          }
          expect([...read, ...reader.end()]).toEqual(lines);
        },
      ),
    );
  });

  it.each([1, 2, 3, 100])('returns lines with their ends if asked to, from chunks of %d bytes', (size) => {
    const text = '\uFEFFone\r\n\n two \n\rthree 👋';
    const reader = new LineReader({ keepEnds: true });
    const bytes = Buffer.from(text);
    const lines: string[] = [];
    for (let at = 0; at < bytes.length; at += size) lines.push(...reader.push(bytes.subarray(at, at + size)));
    lines.push(...reader.end());
    expect(lines).toEqual(['\uFEFFone\r\n', '\n', ' two \n', '\rthree 👋']);
  });
});
