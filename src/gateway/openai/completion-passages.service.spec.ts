import { describe, expect, it } from '@jest/globals';
import { PASSAGE_INSTRUCTIONS } from '../../features/rag/index.js';
import type { ChatMessage } from '../../llm/index.js';
import { addPassages } from './completion-passages.service.js';

const BLOCK = { sources: [], text: 'PASSAGES', tokens: 1 };

describe('addPassages', () => {
  it.each(['system', 'developer'] as const)(
    'adds the instructions after the prompts of the request, in the role %s of the last one',
    (role) => {
      const messages: ChatMessage[] = [
        { role, content: 'Be brief.' },
        { role: 'user', content: 'One' },
        { role: 'assistant', content: 'Two' },
        { role: 'user', content: [{ type: 'text', text: 'Three' }] },
        { role: 'tool', tool_call_id: 'call_1', content: 'Four' },
      ];
      expect(addPassages(messages, BLOCK)).toEqual([
        messages[0],
        { role, content: PASSAGE_INSTRUCTIONS },
        messages[1],
        messages[2],
        {
          role: 'user',
          content: [
            { type: 'text', text: 'PASSAGES' },
            { type: 'text', text: 'Three' },
          ],
        },
        messages[4],
      ]);
    },
  );

  it('adds the instructions as a system message if the request has no prompt', () => {
    expect(addPassages([{ role: 'user', content: 'One' }], BLOCK)).toEqual([
      { role: 'system', content: PASSAGE_INSTRUCTIONS },
      { role: 'user', content: 'PASSAGES\n\nQuestion: One' },
    ]);
  });
});
