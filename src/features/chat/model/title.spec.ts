import { describe, expect, it } from '@jest/globals';
import { shortTitle, toTitle } from './title.js';

describe('the title in an answer', () => {
  it.each([
    ['as it is', 'Why the sky is blue', 'Why the sky is blue'],
    ['without quotation marks', '"Why the sky is blue"', 'Why the sky is blue'],
    ['without those of other languages', '„Warum der Himmel blau ist“', 'Warum der Himmel blau ist'],
    ['with those within', 'The "blue" sky’s colour', 'The "blue" sky’s colour'],
    ['without markup', '## **Why the sky is blue**', 'Why the sky is blue'],
    ['without tags', '<b>Why</b> the sky <img src=x onerror=alert(1)>is blue', 'Why the sky is blue'],
    ['of the first line that has one', '\n \n"Blue"\n\nIs there anything else?', 'Blue'],
    ['behind thoughts', '<think>They ask\nabout the sky.</think>\n\nBlue sky', 'Blue sky'],
    ['behind thoughts without an opening tag', 'Okay, the sky.\n</think>\n\nBlue sky', 'Blue sky'],
    ['behind thoughts in other tags', '<thinking>They ask.</thinking>Blue sky', 'Blue sky'],
    ['nowhere in thoughts that were cut off', '<think>Okay, they ask about the sky and I must', ''],
    ['without controls', 'Blue\u0000 \u001b[31msky\u202e', 'Blue [31msky'],
    ['with joined emoji', '👩‍🚀 in space', '👩‍🚀 in space'],
    ['without half characters', 'Blue \ud800sky', 'Blue \ufffdsky'],
    ['that is none', ' "" \n\t', ''],
  ])('is taken %s', (_how, answer, title) => {
    expect(toTitle(answer)).toBe(title);
  });

  it('has at most 80 characters, cut between them', () => {
    const title = toTitle('😀'.repeat(100));
    expect(Array.from(title)).toHaveLength(80);
    expect(title).toBe(`${'😀'.repeat(79)}…`);
    expect(shortTitle('a'.repeat(80))).toBe('a'.repeat(80));
  });
});
