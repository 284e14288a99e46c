import { describe, expect, it } from '@jest/globals';
import { joinTextItems, type PositionedText } from './pdf-lines.js';

/** Returns the items of lines, each as wide as its text, from the top of a page down. */
function linesOf(texts: readonly string[], changes: Readonly<Record<number, Partial<PositionedText>>> = {}) {
  return texts.map((text, index): PositionedText => ({
    text,
    x: 0,
    y: 700 - index * 12,
    width: 100,
    height: 10,
    endsLine: true,
    ...changes[index],
  }));
}

describe('joinTextItems', () => {
  it.each<[string, string[], Record<number, Partial<PositionedText>>, string]>([
    ['a full line goes on with a space', ['A full', 'line'], {}, 'A full line'],
    ['a line without spaces goes on with nothing', ['天空', '是蓝'], {}, '天空是蓝'],
    ['a hyphen at the end of a line stays', ['well-', 'known'], {}, 'well-known'],
    ['a short line ends its paragraph', ['Short', 'Next'], { 0: { width: 20 } }, 'Short\nNext'],
    ['an item of a list begins a line', ['Intro', '- item'], {}, 'Intro\n- item'],
    ['a larger distance is an empty line', ['One', 'Two'], { 1: { y: 600 } }, 'One\n\nTwo'],
    ['a larger size is an empty line', ['Title', 'Body'], { 0: { height: 20 } }, 'Title\n\nBody'],
    ['a line above begins a column', ['Left', 'Right'], { 1: { y: 750, x: 300 } }, 'Left Right'],
    ['empty items at the start are no line', [' ', 'Text'], {}, 'Text'],
    ['parts of letters without a character are removed', ['a \u0003b'], {}, 'ab'],
    ['the last line needs no end', ['One', 'two'], { 1: { endsLine: false } }, 'One two'],
    ['items of a line are joined', ['One ', 'two'], { 0: { endsLine: false }, 1: { y: 700 } }, 'One two'],
  ])('%s', (_what, texts, changes, expected) => {
    expect(joinTextItems(linesOf(texts, changes))).toBe(expected);
  });

  it('returns nothing for a page without text', () => {
    expect(joinTextItems([])).toBe('');
  });
});
