import { describe, expect, it } from '@jest/globals';
import { type CallIdRule, withAcceptedCallIds } from './call-ids.js';
import type { ChatMessage } from './chat.js';

const WORDS: CallIdRule = { accepts: /^[\w-]{1,64}$/, prefix: 'call_', digestLength: 24, unique: true };
const NINE: CallIdRule = { accepts: /^[a-zA-Z0-9]{9}$/, prefix: '', digestLength: 9, unique: false };

const calls = (...ids: string[]): ChatMessage => ({
  role: 'assistant',
  content: null,
  tool_calls: ids.map((id) => ({ id, type: 'function', function: { name: 'f', arguments: '{}' } })),
});
const result = (id: string): ChatMessage => ({ role: 'tool', tool_call_id: id, content: id });

/** Returns the ids of each message, of calls and results alike. */
function idsOf(messages: readonly ChatMessage[]): string[][] {
  return messages.map((message) => {
    if (message.role === 'tool') return [message.tool_call_id];
    return message.role === 'assistant' ? (message.tool_calls ?? []).map(({ id }) => id) : [];
  });
}

describe('withAcceptedCallIds', () => {
  it('keeps the ids that the target accepts', () => {
    const messages: ChatMessage[] = [
      { role: 'user', content: 'x' },
      calls('call_a', 'b-1'),
      result('call_a'),
    ];
    expect(withAcceptedCallIds(messages, WORDS)).toEqual(messages);
  });

  it('replaces an id in call and result alike, and identically in every request', () => {
    const messages = [calls('functions.get_weather:0', 'functions.get_weather:1')];
    const results = [result('functions.get_weather:1'), result('functions.get_weather:0')];
    const [[first, second] = [], one, other] = idsOf(withAcceptedCallIds([...messages, ...results], WORDS));
    expect([one, other]).toEqual([[second], [first]]);
    expect(first).toMatch(/^call_[a-zA-Z0-9]{24}$/);
    expect(first).not.toBe(second);
    expect(idsOf(withAcceptedCallIds(messages, WORDS))).toEqual([[first, second]]);
  });

  it('creates ids of the length that the target requires', () => {
    const [[id] = [], [of] = []] = idsOf(
      withAcceptedCallIds([calls('call_0123'), result('call_0123')], NINE),
    );
    expect(id).toMatch(/^[a-zA-Z0-9]{9}$/);
    expect(of).toBe(id);
  });

  it('gives calls of two answers that share an id different ids if the target requires it, each with its result', () => {
    const messages = [calls('call_0'), result('call_0'), calls('call_0'), result('call_0')];
    const [first, firstResult, second, secondResult] = idsOf(withAcceptedCallIds(messages, WORDS));
    expect([first, firstResult]).toEqual([['call_0'], ['call_0']]);
    expect(second).not.toEqual(first);
    expect(secondResult).toEqual(second);
    const shared = [calls('abcdefghi'), result('abcdefghi'), calls('abcdefghi'), result('abcdefghi')];
    expect(withAcceptedCallIds(shared, NINE)).toEqual(shared);
  });

  it('gives parallel calls that share an id different ids, and assigns their results in order', () => {
    const [sent = [], ...results] = idsOf(
      withAcceptedCallIds([calls('', ''), result(''), result('')], WORDS),
    );
    expect(new Set(sent).size).toBe(2);
    expect(results.flat()).toEqual(sent);
  });
});
