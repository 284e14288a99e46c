import { stripNul } from '../../../src/common/stored-text.js';
import type { Behavior } from '../fake-provider/script.js';
import type { Random } from './random.js';

/** The next answers of a provider, in order, and their unique texts. */
export interface ScriptedAnswers {
  readonly behaviors: readonly Behavior[];
  /** The texts in their stored form, if complete. */
  readonly texts: readonly string[];
}

const WORDS = [
  'sun',
  'Regen',
  'été',
  '雨が降る',
  '😀',
  'a "quoted" \\ word',
  'line\n\nbreak',
  'data: [DONE]',
];

/**
 * Creates answers in many pieces with pauses, most of which end well.
 * @param name distinguishes the texts of several providers
 */
export function scriptAnswers(random: Random, name: string, count: number): ScriptedAnswers {
  const answers = Array.from({ length: count }, (_, index) => {
    const pieces = [`<${name} ${index}>`, ...piecesOf(random)];
    return { behavior: behaviorOf(random, pieces), text: stripNul(pieces.join('')) };
  });
  return {
    behaviors: answers.map(({ behavior }) => behavior),
    texts: answers.map(({ text }) => text),
  };
}

function piecesOf(random: Random): string[] {
  const count = random.chance(0.3) ? random.whole(80, 200) : random.whole(1, 50);
  return Array.from({ length: count }, () => ` ${random.pick(WORDS)}`).flatMap((word) => {
    if (random.chance(0.02)) return [`${word}\0`];
    // At any position, even within a surrogate pair, because models split rare characters like that.
    const cut = random.whole(0, word.length);
    return random.chance(0.3)
      ? [word.slice(0, cut), word.slice(cut)].filter((piece) => piece !== '')
      : [word];
  });
}

function behaviorOf(random: Random, text: readonly string[]): Behavior {
  const paced = {
    text,
    delayBeforeMs: random.chance(0.2) ? random.whole(100, 800) : random.whole(0, 30),
    delayBetweenChunksMs: random.whole(2, 30),
  };
  const afterChunks = random.whole(1, text.length);
  const dice = random.next();
  if (dice < 0.05) return { ...paced, kind: 'cut', afterChunks };
  if (dice < 0.1) return { ...paced, kind: 'reset', afterChunks };
  if (dice < 0.14) return { ...paced, kind: 'errorInStream', afterChunks, error: { message: 'It broke.' } };
  if (dice < 0.17) return { ...paced, kind: 'error', status: 400, message: 'Refused.' };
  return { ...paced, kind: 'answer' };
}
