import { describe, expect, it } from '@jest/globals';
import { smallestContextWindow, ContextWindows } from './context-windows.js';

const table = new ContextWindows({ 'vllm/a': 10_000, 'ollama/*': 16_384, 'openai/gpt-4o': 50_000 });
const of = (provider: string, model: string, reported?: number) =>
  table.contextWindowOf({ provider, model }, () => Promise.resolve(reported));
const known = (tokens: number) => ({ tokens, known: true });

describe('ContextWindows', () => {
  it('uses the configured window before any reported one', async () => {
    expect(await of('vllm', 'a', 4_096)).toEqual(known(10_000));
    expect(await of('ollama', 'llama3.2')).toEqual(known(16_384));
    expect(await of('openai', 'gpt-4o', 128_000)).toEqual(known(50_000));
    const asked = () => Promise.reject(new Error('asked in vain'));
    expect(await table.contextWindowOf({ provider: 'vllm', model: 'a' }, asked)).toEqual(known(10_000));
  });

  it('uses the window that the provider reports before the published figure', async () => {
    expect(await of('vllm', 'b', 32_768)).toEqual(known(32_768));
    expect(await of('anthropic', 'claude-opus-4-5', 500_000)).toEqual(known(500_000));
  });

  it.each([
    ['anthropic', 'claude-opus-5-5', 1_000_000],
    ['anthropic', 'claude-sonnet-4-6', 1_000_000],
    ['anthropic', 'claude-haiku-4-5-20251001', 200_000],
    ['anthropic', 'claude-next', 200_000],
    ['openai', 'gpt-5.6-sol', 922_000],
    ['openai', 'gpt-5.4-mini-2026-03-17', 272_000],
    ['openai', 'gpt-5-nano', 272_000],
    ['openai', 'gpt-5.1-chat-latest', 128_000],
    ['openai', 'gpt-4', 8_192],
    ['openai', 'gpt-4-turbo', 128_000],
    ['openai', 'gpt-4o-mini', 128_000],
    ['openai', 'o3-pro', 200_000],
    ['demo', 'echo', 1_000_000],
  ])('uses the published window of %s/%s: %d', async (provider, model, tokens) => {
    expect(await of(provider, model)).toEqual(known(tokens));
  });

  it('uses the server’s default for an Ollama model', async () => {
    expect(await new ContextWindows().contextWindowOf({ provider: 'ollama', model: 'x' }, noWord)).toEqual(
      known(4_096),
    );
  });

  it.each([
    ['vllm', 'unheard-of'],
    ['openai', 'my-finetune'],
    ['constructor', 'constructor'],
    ['openai', 'constructor'],
  ])('marks the window of %s/%s as an estimate', async (provider, model) => {
    expect(await of(provider, model)).toEqual({ tokens: 8_192, known: false });
  });

  it('uses the smallest window of a chain', () => {
    const small = { tokens: 4_096, known: false };
    expect(smallestContextWindow([known(8_000), small, known(200_000)])).toBe(small);
    expect(() => smallestContextWindow([])).toThrow();
  });
});

function noWord(): Promise<undefined> {
  return Promise.resolve(undefined);
}
