import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { CitationFilter } from './citations.js';

/** Passes an answer through in pieces of this length. */
function filterAnswer(answer: string, sources: number, pieceLength = answer.length): [string, number[]] {
  const filter = new CitationFilter(sources);
  let text = '';
  for (let start = 0; start < answer.length; start += pieceLength)
    text += filter.push(answer.slice(start, start + pieceLength));
  return [text + filter.end(), [...filter.cited]];
}

describe('the citations of an answer', () => {
  it.each([
    ['Paris [1]. Rome [2][3].', 'Paris [1]. Rome [2][3].', [1, 2, 3]],
    ['A [3], then [1] and [3].', 'A [3], then [1] and [3].', [3, 1]],
    ['A [1, 2] and [1-3].', 'A [1, 2] and [1-3].', [1, 2, 3]],
    ['A [4]. B[7]', 'A. B', []],
    ['A [1, 4] and [2–9].', 'A [1] and [2, 3].', [1, 2, 3]],
    ['A [3-1].', 'A [3-1].', [3, 1]],
    ['A [0].', 'A.', []],
    [`A [${Array.from({ length: 30 }, (_, index) => index + 3).join(', ')}].`, 'A [3].', [3]],
  ])('of "%s" are checked', (answer, text, cited) => {
    for (const length of [1, 2, 7, 1_000]) expect(filterAnswer(answer, 3, length)).toEqual([text, cited]);
  });

  it.each([
    'a [link](https://example.org) and [5](https://example.org/5)',
    'list[0] and (x)[0], [a], [x], [ ], [2024], [1.5], [^1]',
    '`list[9]` and ``a ` [9]``',
    '```js\nlist[9] = `[8]`;\n```\n',
    '```\na ``` [9]\n```\n',
    '  ~~~ [',
    'an open bracket [12',
    'an open backtick `',
    '``',
    '',
  ])('do not include what is something else: "%s"', (answer) => {
    for (const length of [1, 2, 7, 1_000]) expect(filterAnswer(answer, 3, length)).toEqual([answer, []]);
  });

  it('are checked again after code, also after a backtick that stands alone', () => {
    expect(filterAnswer('`x[9]` [9] and 5` wide [9]\nthen [9]', 3)[0]).toBe('`x[9]` and 5` wide [9]\nthen');
    expect(filterAnswer('- list\n  ```\n  [9]\n  ```\n [9]', 3)[0]).toBe('- list\n  ```\n  [9]\n  ```\n');
  });

  it('are removed altogether if there are no sources', () => {
    expect(filterAnswer('A [1].', 0)).toEqual(['A.', []]);
  });

  it('hold back only what may become a marker', () => {
    const filter = new CitationFilter(3);
    expect(filter.push('Paris is [')).toBe('Paris is');
    expect(filter.push('large] and ')).toBe(' [large] and');
    expect(filter.push('x')).toBe(' x');
    expect(filter.push(' [1]')).toBe('');
    expect(filter.cited).toEqual([]);
    expect(filter.push(',')).toBe(' [1],');
    expect(filter.cited).toEqual([1]);
  });

  it('are the same however the answer is divided, and none is left without a source', () => {
    const piece = fc.constantFrom(
      ...['[', ']', '1', '2', '9', ', ', '-', ' ', 'a', '(', '`', '```', '\n', '[3]', ' [1, 8]', '[12]'],
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 40 }), fc.integer({ min: 1, max: 9 }), (pieces, length) => {
        const answer = pieces.join('');
        const whole = filterAnswer(answer, 3);
        expect(filterAnswer(answer, 3, length)).toEqual(whole);
        if (answer.includes('`')) return;
        const left = Array.from(whole[0].matchAll(/(.?)\[(\d{1,3})\](?!\()/g));
        // Removing a marker between brackets can make another one of what is around it: nobody writes that.
        if (!/\[[^\]]*\[/.test(answer)) expect(left.filter(([, , number]) => Number(number) > 3)).toEqual([]);
      }),
      { numRuns: 500 },
    );
  });
});
