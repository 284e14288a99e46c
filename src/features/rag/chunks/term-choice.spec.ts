import { describe, expect, test } from '@jest/globals';
import { choosePairs, chooseTerms, type TermState } from './term-choice.js';

const INDEXES = ['one', 'other'];

function toState(name: string, word: number, count: number, weight = 1): TermState {
  return {
    term: { term: name, word, weight, evidence: 'strong' },
    places: INDEXES.map((indexId, place) => ({ indexId, hash: 1_000 * place + 10 * word + name.length })),
    count,
    isComplete: false,
  };
}

const names = (states: readonly TermState[]): string[] => states.map(({ term }) => term.term);
const equally = (): number => 1;

describe('the terms that are read', () => {
  test('are those that add most for each chunk, as far as there are not too many', () => {
    const states = [toState('frequent', 0, 900), toState('rare', 1, 100), toState('middle', 2, 400)];
    expect(names(chooseTerms(states, equally, 600))).toEqual(['rare', 'middle']);
    expect(names(chooseTerms(states, ({ count }) => (count === 900 ? 100 : 1), 950))).toEqual(['frequent']);
  });

  test('are other forms of a word last, if nearly the same chunks have a better form', () => {
    const states = [toState('word', 0, 300), toState('wor', 0, 310, 0.4), toState('other', 1, 500)];
    const scoreOf = ({ term }: TermState): number => term.weight;
    expect(names(chooseTerms(states, scoreOf, 1_200))).toEqual(['word', 'other', 'wor']);
    expect(names(chooseTerms(states, scoreOf, 800))).toEqual(['word', 'other']);
  });

  test('are other forms of a word first, if they are in many other chunks', () => {
    const states = [toState('word', 0, 10), toState('wor', 0, 310, 0.4), toState('other', 1, 1_500)];
    expect(names(chooseTerms(states, ({ term }) => term.weight, 330))).toEqual(['word', 'wor']);
  });
});

describe('the pairs that are read', () => {
  test('are of different words, the rarest first, as far as there are not too many chunks', () => {
    const states = [toState('a', 0, 4_000), toState('b', 1, 5_000), toState('c', 2, 90_000)];
    const pairsOf = (budget: number): string[] =>
      choosePairs(states, 100_000, budget).map(({ first, second }) => first.term.term + second.term.term);
    expect(pairsOf(100)).toEqual([]);
    expect(pairsOf(1_000)).toEqual(['ab']);
    expect(pairsOf(4_000)).toEqual(['ab', 'ac']);
    expect(pairsOf(100_000)).toEqual(['ab', 'ac', 'bc']);
  });

  test('have the best form of each word that chunks have, in each index', () => {
    const states = [
      toState('a', 0, 0),
      toState('aa', 0, 4_000, 0.5),
      toState('aaa', 0, 4_000, 0.3),
      toState('b', 1, 10),
    ];
    expect(choosePairs(states, 100_000, 100).map(({ places }) => places)).toEqual([
      [
        { indexId: 'one', hashes: [2, 11], cap: 102 },
        { indexId: 'other', hashes: [1_002, 1_011], cap: 102 },
      ],
    ]);
  });
});
