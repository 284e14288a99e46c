import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { ENDLESS_WORK_MS, processorMsSince } from '../../../../test/support/endless-work.js';
import { stripReasoning } from './reasoning-text.js';

describe('stripReasoning', () => {
  it.each([
    ['both tags', '<think>They ask\nabout it.</think>\n\nBlue sky', 'Blue sky'],
    ['the closing tag alone', 'Okay, they ask.\n</think>\n\nBlue sky', 'Blue sky'],
    ['the closing tag alone, on the same line', 'Okay.</think>Blue sky', 'Blue sky'],
    ['the opening tag alone, if the answer was cut off', '<think>Okay, they ask and I must', ''],
    ['reasoning after the text, cut off', 'Blue sky\n  <think>Is that', 'Blue sky'],
    ['reasoning after reasoning, cut off', '<think>One</think> <think>Two', ''],
    ['tags of another name', '<thinking>They ask.</thinking>Blue sky', 'Blue sky'],
    ['tags in mixed case, with attributes', '<Think effort="low">They ask.</THINK >Blue sky', 'Blue sky'],
    ['tags in brackets', '[THINK]They ask.[/THINK]Blue sky', 'Blue sky'],
    ['nested tags', '<think>a<think>b</think>c</think>Blue sky', 'Blue sky'],
    ['a tag that reasoning mentions', '<think>No <think> tags.</think>Blue sky', 'Blue sky'],
    ['several blocks', 'Blue <think>a</think>sky<think>b</think>', 'Blue sky'],
    ['a tag in code that is part of reasoning', '<think>Use `x\n```\n</think>\nBlue `sky`', 'Blue `sky`'],
    ['nothing but reasoning', '<think>They ask.</think>\n', ''],
  ])('removes %s', (_what, text, rest) => {
    expect(stripReasoning(text)).toBe(rest);
  });

  it.each([
    ['a closing tag in a span of code', 'They strip `</think>` from answers.'],
    ['both in spans of code', 'They replace `<think>` and ``</think>`` in answers.'],
    ['tags in a block of code', 'They wrote:\n```js\ntext.split("</think>")\n```\nIt works.'],
    ['an opening tag in the middle of a sentence', 'They ask what <think> means.'],
    ['other tags and brackets', 'A <b>bold</b> [thinker] and a < b > c.'],
  ])('keeps %s', (_what, text) => {
    expect(stripReasoning(text)).toBe(text);
  });

  it('never throws, adds no text, and removes all closed reasoning from arbitrary text', () => {
    const piece = fc.oneof(
      fc.constantFrom('<think>', '</think>', '<thinking>', '</THINKING>', '[THINK]', '`', '```', '\n', ' '),
      fc.string({ maxLength: 5 }),
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 30 }), (pieces) => {
        const text = pieces.join('');
        const rest = stripReasoning(text);
        expect(rest.length).toBeLessThanOrEqual(text.length);
        expect(stripReasoning(`<think>${text.replaceAll(/[<[]\//g, '')}</think>\n\nBlue sky`)).toBe(
          'Blue sky',
        );
      }),
    );
  });

  it.each(['a<think>', '<think>', '</think>', '`', '```\n', '`a', '<think ', '~~~\n```\n', 'a`<think>'])(
    'takes time in proportion to the length of a text of nothing but %j',
    (piece) => {
      const text = piece.repeat(1_000_000 / piece.length);
      const before = process.cpuUsage();
      stripReasoning(text);
      stripReasoning(`${text}</think>`);
      expect(processorMsSince(before)).toBeLessThan(ENDLESS_WORK_MS);
    },
  );
});
