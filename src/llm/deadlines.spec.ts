import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Deadlines } from './deadlines.js';

const CONFIG = { connectMs: 1, firstTokenMs: 100, idleMs: 50, totalMs: 220, answerMs: 80 };

describe('Deadlines', () => {
  beforeEach(() => {
    jest.useFakeTimers();
  });

  afterEach(() => {
    jest.useRealTimers();
  });

  it('bounds the wait for the first token, then each gap, then the whole', () => {
    const first = Deadlines.ofStream(CONFIG);
    jest.advanceTimersByTime(99);
    expect(first.signal.aborted).toBe(false);
    jest.advanceTimersByTime(1);
    expect(first.passed?.message).toMatch(/did not begin/);

    const gap = Deadlines.ofStream(CONFIG);
    gap.progress();
    jest.advanceTimersByTime(50);
    expect(gap.passed?.message).toMatch(/fell silent/);

    const whole = Deadlines.ofStream(CONFIG);
    for (let count = 0; count < 8; count += 1) {
      whole.progress();
      jest.advanceTimersByTime(30);
    }
    expect(whole.passed?.message).toMatch(/did not finish/);
  });

  it('leaves no timer behind', () => {
    const deadlines = Deadlines.ofStream(CONFIG);
    deadlines.progress();
    deadlines.stop();
    expect(jest.getTimerCount()).toBe(0);
  });
});
