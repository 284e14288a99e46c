import { describe, expect, it } from '@jest/globals';
import { summarizeUpTo, withoutTornExchange } from './context-trimming.js';
import type { ContextMessage } from './context.repository.js';

/** A path of these roles with ten tokens a message: `u` user, `a` answer, `t` tool. Ids count from 1, after message 0. */
function path(roles: string, beginning = false): ContextMessage[] {
  const names = { u: 'user', a: 'assistant', t: 'tool' } as const;
  return Array.from(roles, (letter, index) => ({
    id: String(index + 1),
    parentId: index === 0 && beginning ? null : String(index),
    role: letter === 'u' || letter === 't' ? names[letter] : names.a,
    content: 'x',
    tokenCount: 6,
    toolCalls: null,
    toolCallId: null,
    providerData: null,
    hasFiles: false,
  }));
}

describe('the last message that a summary shall cover', () => {
  it.each([
    // The older half of the messages before the question, to the end of an exchange.
    ['uauau', '2'],
    ['uauauau', '4'],
    ['uauauauau', '4'],
    ['uauauauauau', '6'],
    ['uatauatau', '4'],
    // The last exchange before the question stays as it was said: what is left out alone.
    ['uau', '0'],
    ['u', '0'],
    // An answer whose question is left out is covered with it.
    ['auau', '1'],
    ['au', '1'],
    ['tatau', '4'],
  ])('of %s is %s', (roles, upTo) => {
    expect(summarizeUpTo(path(roles), undefined)).toBe(upTo);
  });

  it('is none where nothing is left out', () => {
    expect(summarizeUpTo(path('uauau', true), undefined)).toBeUndefined();
    expect(summarizeUpTo(path('uauau'), '0')).toBeUndefined();
    expect(summarizeUpTo([], undefined)).toBeUndefined();
  });

  it('goes by tokens, not by messages', () => {
    const [first, ...others] = path('uauauau');
    expect(first).toBeDefined();
    const long = first === undefined ? [] : [{ ...first, tokenCount: 1_000 }, ...others];
    expect(summarizeUpTo(long, undefined)).toBe('2');
  });
});

describe('a path', () => {
  const rolesOf = (messages: readonly ContextMessage[]) =>
    messages.map(({ role }) => role.charAt(0)).join('');

  it.each([
    ['auau', undefined, 'uau'],
    ['tauau', undefined, 'uau'],
    ['uau', undefined, 'uau'],
    // Behind a summary an answer has its question there, and only what a tool said has lost its call.
    ['auau', '0', 'auau'],
    ['tauau', '0', 'auau'],
    // A summary that does not reach the path is as good as none here.
    ['auau', 'elsewhere', 'uau'],
  ])('%s is told without a torn exchange', (roles, summarized, told) => {
    expect(rolesOf(withoutTornExchange(path(roles), summarized))).toBe(told);
  });
});
