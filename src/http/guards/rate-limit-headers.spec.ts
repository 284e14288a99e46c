import { describe, expect, it } from '@jest/globals';
import { toDuration } from './rate-limit-headers.js';

describe('toDuration', () => {
  it.each([
    [0, '0ms'],
    [11.2, '12ms'],
    [999.5, '1s'],
    [1000, '1s'],
    [1500, '1.5s'],
    [60_000, '1m0s'],
    [360_000, '6m0s'],
    [90_250, '1m30.25s'],
  ])('formats %d milliseconds as %s', (ms, text) => {
    expect(toDuration(ms)).toBe(text);
  });
});
