import { describe, expect, it } from '@jest/globals';
import { countTokens } from './token-counter.js';

describe('countTokens', () => {
  it('counts as the encoding does', () => {
    expect(countTokens('')).toBe(0);
    expect(countTokens('Hello, world!')).toBe(4);
    expect(countTokens('<|endoftext|>')).toBeGreaterThan(0);
  });

  it('counts a long text like its parts, to a token a slice', () => {
    const sentence = 'The quick brown fox jumps over the lazy dog. ';
    const whole = countTokens(sentence.repeat(100));
    expect(whole).toBeGreaterThanOrEqual(100 * (countTokens(sentence) - 1));
    expect(whole).toBeLessThanOrEqual(100 * countTokens(sentence) + 20);
  });

  it('does not choke on words without end', () => {
    const before = process.cpuUsage();
    for (const unit of ['a', '👋', '語', ' ', '\u0301', 'é']) countTokens(unit.repeat(20_000));
    const { user } = process.cpuUsage(before);
    // Quadratic work takes minutes here; the bound only tells the two apart.
    expect(user).toBeLessThan(10_000_000);
  });

  it('estimates what is too long to be counted', () => {
    expect(countTokens('x'.repeat(200_000))).toBe(50_000);
  });
});
