import { expect, it } from '@jest/globals';
import { answerSource } from '../../../../test/support/rag-documents.js';
import { toDemoAnswer } from './demo-answer.js';

it('a demo answer quotes the best three passages on a line each, and cites no other numbers', () => {
  const sources = [1, 2, 3, 4].map((index) =>
    answerSource(index, { title: `Title [${index + 1}]`, text: `Text\n  ${index} as in [3, 4].` }),
  );
  const { pieces, citations } = toDemoAnswer(sources);
  expect(citations).toEqual(sources.slice(0, 3));
  expect(pieces[0]).toContain('This is the demo model.');
  expect(pieces.slice(1)).toEqual([
    '> Text 1 as in (3, 4). [1]\n\n— Title (2)\n\n',
    '> Text 2 as in (3, 4). [2]\n\n— Title (3)\n\n',
    '> Text 3 as in (3, 4). [3]\n\n— Title (4)\n\n',
  ]);
});

it('a demo answer cuts a long passage, but no character of two units', () => {
  const { pieces } = toDemoAnswer([answerSource(1, { text: `${'a'.repeat(499)}😀 and more` })]);
  expect(pieces[1]).toContain(`> ${'a'.repeat(499)}… [1]`);
});
