import { describe, expect, it } from '@jest/globals';
import type { ChatMessage } from '../../llm/index.js';
import { estimateInputTokens } from './estimate-input-tokens.js';

/** Returns the tokens by which a message is larger than one without content. */
function tokensOf(message: ChatMessage): number {
  const empty = estimateInputTokens({ messages: [{ role: 'user', content: '' }] });
  return estimateInputTokens({ messages: [message] }) - empty;
}

describe('estimateInputTokens', () => {
  it('counts an image and the pages of a PDF, whatever their bytes are, and no file that is named by its id', () => {
    const url = `data:image/png;base64,${'A'.repeat(400_000)}`;
    expect(tokensOf({ role: 'user', content: [{ type: 'image_url', image_url: { url } }] })).toBe(1_600);
    const file_data = `data:application/pdf;base64,${'A'.repeat(400_000)}`;
    expect(tokensOf({ role: 'user', content: [{ type: 'file', file: { file_data } }] })).toBe(5 * 1_600);
    expect(tokensOf({ role: 'user', content: [{ type: 'file', file: { file_id: 'file-1' } }] })).toBe(0);
  });

  it('counts audio by its bytes', () => {
    const input_audio = { data: 'A'.repeat(400_000), format: 'mp3' as const };
    expect(tokensOf({ role: 'user', content: [{ type: 'input_audio', input_audio }] })).toBe(750);
  });

  it('counts tool calls, their results, tools and the schema of the answer', () => {
    const words = 'word '.repeat(100);
    const call = { id: '1', type: 'function' as const, function: { name: 'f', arguments: words } };
    expect(tokensOf({ role: 'assistant', tool_calls: [call] })).toBeGreaterThan(100);
    expect(tokensOf({ role: 'tool', tool_call_id: '1', content: words })).toBeGreaterThanOrEqual(100);
    const messages: ChatMessage[] = [{ role: 'user', content: 'Hi' }];
    const plain = estimateInputTokens({ messages });
    const tools = [{ type: 'function' as const, function: { name: 'f', description: words } }];
    expect(estimateInputTokens({ messages, tools }) - plain).toBeGreaterThan(100);
    const json_schema = { name: 'answer', schema: { description: words } };
    const response_format = { type: 'json_schema' as const, json_schema };
    expect(estimateInputTokens({ messages, response_format }) - plain).toBeGreaterThan(100);
  });
});
