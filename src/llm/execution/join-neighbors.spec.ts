import { describe, expect, it } from '@jest/globals';
import { joinNeighbors } from './join-neighbors.js';
import type { ChatMessage } from '../port/index.js';

const user = (content: string): ChatMessage => ({ role: 'user', content });
const assistant = (content: string, more: object = {}): ChatMessage => ({
  role: 'assistant',
  content,
  ...more,
});
const image = { type: 'image_url' as const, image_url: { url: 'data:image/png;base64,AA' } };

describe('joinNeighbors', () => {
  it('joins neighbors of one role, whether their content is a string or a list of parts', () => {
    expect(
      joinNeighbors([
        user('a'),
        user('b'),
        assistant('c'),
        assistant('d'),
        user('e'),
        { role: 'user', content: [image] },
      ]),
    ).toEqual([
      user('a\n\nb'),
      assistant('c\n\nd'),
      { role: 'user', content: [{ type: 'text', text: 'e' }, image] },
    ]);
  });

  it('does not join messages that a provider signed, that call tools, or that different people wrote', () => {
    const signed = assistant('b', { provider_data: { provider: 'x', blocks: [] } });
    const messages = [assistant('a'), signed, { ...user('c'), name: 'Ann' }, { ...user('d'), name: 'Ben' }];
    expect(joinNeighbors(messages)).toEqual(messages);
  });
});
