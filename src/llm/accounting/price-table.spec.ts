import { describe, expect, it } from '@jest/globals';
import type { TokenUsage } from '../port/index.js';
import { PriceTable } from './price-table.js';

const NOTHING: TokenUsage = {
  inputTokens: 0,
  outputTokens: 0,
  cachedTokens: 0,
  cacheWriteTokens: 0,
  reasoningTokens: 0,
};

const MILLION = 1_000_000;

function costOf(provider: string, model: string, usage: Partial<TokenUsage>, table = new PriceTable()) {
  return table.costOf({ provider, model }, { ...NOTHING, ...usage });
}

describe('PriceTable', () => {
  it.each([
    ['anthropic', 'claude-opus-5-5', { inputTokens: MILLION }, 4_000_000n],
    ['anthropic', 'claude-opus-5-5', { outputTokens: MILLION }, 20_000_000n],
    ['anthropic', 'claude-opus-5-5', { inputTokens: MILLION, cachedTokens: MILLION }, 200_000n],
    ['anthropic', 'claude-opus-5-5', { inputTokens: MILLION, cacheWriteTokens: MILLION }, 5_000_000n],
    ['anthropic', 'claude-sonnet-4-5-20250929', { outputTokens: 1000 }, 15_000n],
    ['openai', 'gpt-5.4-mini-2026-03-17', { inputTokens: 1000, outputTokens: 100 }, 1200n],
    ['openai', 'text-embedding-3-small', { inputTokens: MILLION }, 20_000n],
  ])('returns the price of %s/%s for %j', (provider, model, usage, cost) => {
    expect(costOf(provider, model, usage)).toBe(cost);
  });

  it('applies a separate price to each kind of token', () => {
    const usage = { inputTokens: 1000, cachedTokens: 600, cacheWriteTokens: 300, outputTokens: 10 };
    // 100 × 4 + 600 × 0.2 + 300 × 5 + 10 × 20
    expect(costOf('anthropic', 'claude-opus-5-5', usage)).toBe(2220n);
  });

  it('applies the higher price to the whole of a long request', () => {
    expect(costOf('openai', 'gpt-5.5', { inputTokens: 272_000, outputTokens: 1000 })).toBe(1_390_000n);
    expect(costOf('openai', 'gpt-5.5', { inputTokens: 272_001, outputTokens: 1000 })).toBe(2_765_010n);
    expect(costOf('anthropic', 'claude-haiku-5-5', { inputTokens: 200_000 })).toBe(100_000n);
  });

  it('rounds up, so that no paid usage is free', () => {
    expect(costOf('openai', 'text-embedding-3-small', { inputTokens: 1 })).toBe(1n);
  });

  it('returns no price for an unlisted model', () => {
    expect(costOf('openai', 'gpt-5.5-of-tomorrow', { inputTokens: 5 })).toBeNull();
    expect(costOf('vllm', 'gpt-5.5', { inputTokens: 5 })).toBeNull();
    expect(costOf('openai', 'constructor', { inputTokens: 5 })).toBeNull();
    expect(costOf('__proto__', 'x', { inputTokens: 5 })).toBeNull();
  });

  it('never returns a negative price if a host reports more cached tokens than input', () => {
    expect(costOf('openai', 'gpt-5.5', { inputTokens: 10, cachedTokens: 20 })).toBe(10n);
  });

  it('prefers the operator’s prices to the list, for one model or all of a provider', () => {
    const table = new PriceTable({
      'openai/gpt-5.5': { input: 1, output: 2 },
      'ollama/*': { input: 0, output: 0 },
      'vllm/llama': { input: 0.0028, output: 1 },
    });
    expect(costOf('openai', 'gpt-5.5-2026-04-23', { inputTokens: 10, cachedTokens: 10 }, table)).toBe(10n);
    expect(costOf('ollama', 'llama3.2:latest', { outputTokens: 99 }, table)).toBe(0n);
    expect(costOf('vllm', 'llama', { inputTokens: 1_000_000 }, table)).toBe(2800n);
    expect(costOf('openai', 'gpt-5.4', { inputTokens: 2 }, table)).toBe(5n);
  });
});
