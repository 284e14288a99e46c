import { describe, expect, it } from '@jest/globals';
import { ENDLESS_WORK_MS, processorMsSince } from '../../../test/support/endless-work.js';
import { countTokens } from './token-counter.js';

describe('countTokens', () => {
  it('counts tokens like the encoding', () => {
    expect(countTokens('')).toBe(0);
    expect(countTokens('Hello, world!')).toBe(4);
    expect(countTokens('<|endoftext|>')).toBeGreaterThan(0);
  });

  it('counts a long text like its parts, with at most one token more per slice', () => {
    const sentence = 'The quick brown fox jumps over the lazy dog. ';
    const whole = countTokens(sentence.repeat(100));
    expect(whole).toBeGreaterThanOrEqual(100 * (countTokens(sentence) - 1));
    expect(whole).toBeLessThanOrEqual(100 * countTokens(sentence) + 20);
  });

  it('counts endless words in reasonable time', () => {
    const before = process.cpuUsage();
    for (const unit of ['a', '👋', '語', ' ', '\u0301', 'é']) countTokens(unit.repeat(20_000));
    // Quadratic work takes minutes here; the limit only distinguishes the two.
    expect(processorMsSince(before)).toBeLessThan(ENDLESS_WORK_MS);
  });

  it('estimates a text that is too long to be counted', () => {
    expect(countTokens('x'.repeat(200_000))).toBe(50_000);
  });
});
