import { describe, expect, it } from '@jest/globals';
import { joinNeighbours } from './join-neighbours.js';
import type { ChatMessage } from '../port/index.js';

const user = (content: string): ChatMessage => ({ role: 'user', content });
const assistant = (content: string, more: object = {}): ChatMessage => ({
  role: 'assistant',
  content,
  ...more,
});
const image = { type: 'image_url' as const, image_url: { url: 'data:image/png;base64,AA' } };

describe('neighbours of one role', () => {
  it('are joined, whether they are texts or parts', () => {
    expect(
      joinNeighbours([
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

  it('stay apart if a provider signed one, if it calls tools, or if other people wrote them', () => {
    const signed = assistant('b', { provider_data: { provider: 'x', blocks: [] } });
    const messages = [assistant('a'), signed, { ...user('c'), name: 'Ann' }, { ...user('d'), name: 'Ben' }];
    expect(joinNeighbours(messages)).toEqual(messages);
  });
});
