import { describe, expect, it } from '@jest/globals';
import { truncateTitle, extractTitle } from './title.js';

describe('extractTitle', () => {
  it.each([
    ['as it is', 'Why the sky is blue', 'Why the sky is blue'],
    ['without quotation marks', '"Why the sky is blue"', 'Why the sky is blue'],
    ['without those of other languages', '„Warum der Himmel blau ist“', 'Warum der Himmel blau ist'],
    ['with quotation marks inside', 'The "blue" sky’s color', 'The "blue" sky’s color'],
    ['without markup', '## **Why the sky is blue**', 'Why the sky is blue'],
    ['without tags', '<b>Why</b> the sky <img src=x onerror=alert(1)>is blue', 'Why the sky is blue'],
    ['from the first line that has one', '\n \n"Blue"\n\nIs there anything else?', 'Blue'],
    ['after reasoning', '<think>They ask\nabout the sky.</think>\n\nBlue sky', 'Blue sky'],
    ['after reasoning without an opening tag', 'Okay, the sky.\n</think>\n\nBlue sky', 'Blue sky'],
    ['after reasoning in other tags', '<thinking>They ask.</thinking>Blue sky', 'Blue sky'],
    [
      'from nothing but reasoning that was cut off, which has none',
      '<think>Okay, they ask about the sky and I must',
      '',
    ],
    ['without control characters', 'Blue\u0000 \u001b[31msky\u202e', 'Blue [31msky'],
    ['with joined emoji', '👩‍🚀 in space', '👩‍🚀 in space'],
    ['without lone surrogates', 'Blue \ud800sky', 'Blue \ufffdsky'],
    ['from nothing but quotation marks and blanks, which has none', ' "" \n\t', ''],
  ])('takes a title %s', (_how, answer, title) => {
    expect(extractTitle(answer)).toBe(title);
  });

  it('limits a title to 80 characters and never splits a character', () => {
    const title = extractTitle('😀'.repeat(100));
    expect(Array.from(title)).toHaveLength(80);
    expect(title).toBe(`${'😀'.repeat(79)}…`);
    expect(truncateTitle('a'.repeat(80))).toBe('a'.repeat(80));
  });
});
