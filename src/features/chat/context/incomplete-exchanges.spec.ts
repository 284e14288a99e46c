import { describe, expect, it } from '@jest/globals';
import { findSummaryEnd, dropIncompleteExchange } from './incomplete-exchanges.js';
import type { ContextMessage } from './context.repository.js';

/**
 * Builds a path of these roles with ten tokens per message: `u` user, `a` assistant, `t` tool. Ids count from 1,
 * after message 0.
 */
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

describe('summarizeUpTo', () => {
  it.each([
    // The older half of the messages before the question, rounded up to a whole exchange.
    ['uauau', '2'],
    ['uauauau', '4'],
    ['uauauauau', '4'],
    ['uauauauauau', '6'],
    ['uatauatau', '4'],
    // The last exchange before the question is not summarized: the summary covers only messages that are left out.
    ['uau', '0'],
    ['u', '0'],
    // An answer whose question is left out is covered with it.
    ['auau', '1'],
    ['au', '1'],
    ['tatau', '4'],
  ])('covers a path of %s up to message %s', (roles, upTo) => {
    expect(findSummaryEnd(path(roles), undefined)).toBe(upTo);
  });

  it('returns nothing if no message is left out', () => {
    expect(findSummaryEnd(path('uauau', true), undefined)).toBeUndefined();
    expect(findSummaryEnd(path('uauau'), '0')).toBeUndefined();
    expect(findSummaryEnd([], undefined)).toBeUndefined();
  });

  it('measures halves by tokens rather than by messages', () => {
    const [first, ...others] = path('uauauau');
    expect(first).toBeDefined();
    const long = first === undefined ? [] : [{ ...first, tokenCount: 1_000 }, ...others];
    expect(findSummaryEnd(long, undefined)).toBe('2');
  });
});

describe('dropIncompleteExchange', () => {
  const rolesOf = (messages: readonly ContextMessage[]) =>
    messages.map(({ role }) => role.charAt(0)).join('');

  it.each([
    ['auau', undefined, 'uau'],
    ['tauau', undefined, 'uau'],
    ['uau', undefined, 'uau'],
    // After a summary an answer has its question there; only a tool result has lost its call.
    ['auau', '0', 'auau'],
    ['tauau', '0', 'auau'],
    // A summary that does not reach the path counts as none here.
    ['auau', 'elsewhere', 'uau'],
  ])('trims %s after a summary up to %s to %s', (roles, summarized, expected) => {
    expect(rolesOf(dropIncompleteExchange(path(roles), summarized))).toBe(expected);
  });
});
