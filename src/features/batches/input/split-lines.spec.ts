import { describe, expect, it } from '@jest/globals';
import { isBlankLine, splitLines } from './split-lines.js';

/** Returns the lines of a file that arrives in pieces of the given size; null for a line that is too long. */
async function linesOf(
  file: string | Buffer,
  pieceBytes = 3,
  maxBytes = 1_000,
): Promise<[number, string | null][]> {
  const bytes = Buffer.from(file);
  function* pieces(): Generator<Uint8Array> {
    for (let start = 0; start < bytes.length; start += pieceBytes)
      yield bytes.subarray(start, start + pieceBytes);
  }
  const lines: [number, string | null][] = [];
  for await (const line of splitLines(asyncOf(pieces()), maxBytes))
    lines.push([line.number, line.bytes === undefined ? null : line.bytes.toString()]);
  return lines;
}

async function* asyncOf(pieces: Iterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  yield* pieces;
  await Promise.resolve();
}

describe('the lines of a file', () => {
  it.each([1, 2, 3, 7, 1_000])('are found whatever pieces of %d bytes they arrive in', async (size) => {
    expect(await linesOf('{"a":1}\n{"b":"ü👋"}\n', size)).toEqual([
      [1, '{"a":1}'],
      [2, '{"b":"ü👋"}'],
    ]);
  });

  it('may end with CRLF, and the last one without an end', async () => {
    expect(await linesOf('one\r\ntwo\rstill two\r\nthree')).toEqual([
      [1, 'one'],
      [2, 'two\rstill two'],
      [3, 'three'],
    ]);
  });

  it('have no byte order mark, and one in the middle stays', async () => {
    expect(await linesOf('\uFEFFone\n\uFEFFtwo')).toEqual([
      [1, 'one'],
      [2, '\uFEFFtwo'],
    ]);
  });

  it('may be blank, and none begins after the end of the last one', async () => {
    expect(await linesOf('one\n\n \t\r\nfour\n')).toEqual([
      [1, 'one'],
      [2, ''],
      [3, ' \t'],
      [4, 'four'],
    ]);
    expect(await linesOf('')).toEqual([]);
    expect(['', ' \t', 'x', '\u00a0'].map((line) => isBlankLine(Buffer.from(line)))).toEqual([
      true,
      true,
      false,
      false,
    ]);
  });

  it('are skipped beyond the limit, and those after them are read', async () => {
    expect(await linesOf(`${'x'.repeat(11)}\nshort\n${'y'.repeat(10)}\n${'z'.repeat(99)}`, 4, 10)).toEqual([
      [1, null],
      [2, 'short'],
      [3, 'y'.repeat(10)],
      [4, null],
    ]);
  });

  it('keep their bytes if those are not UTF-8, so that the fault can be found', async () => {
    const lines = [];
    for await (const { bytes } of splitLines(asyncOf([Buffer.from([0x7b, 0xff, 0x0a, 0x7d])]), 10))
      lines.push(bytes);
    expect(lines).toEqual([Buffer.from([0x7b, 0xff]), Buffer.from([0x7d])]);
  });
});
