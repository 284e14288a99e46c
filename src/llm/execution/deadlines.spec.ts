import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Deadlines } from './deadlines.js';

const CONFIG = { connectMs: 1, firstTokenMs: 100, idleMs: 50, totalMs: 220, answerMs: 80 };

const CALLER = new AbortController().signal;

describe('Deadlines', () => {
  beforeEach(() => {
    jest.useFakeTimers();
  });

  afterEach(() => {
    jest.useRealTimers();
  });

  it('limit the wait for the first token, then each gap, then the total time', () => {
    const first = Deadlines.ofStream(CALLER, CONFIG);
    jest.advanceTimersByTime(99);
    expect(first.signal.aborted).toBe(false);
    jest.advanceTimersByTime(1);
    expect(first.exceeded?.message).toMatch(/did not start/);

    const gap = Deadlines.ofStream(CALLER, CONFIG);
    gap.progress();
    jest.advanceTimersByTime(50);
    expect(gap.exceeded?.message).toMatch(/stopped sending/);

    const whole = Deadlines.ofStream(CALLER, CONFIG);
    for (let count = 0; count < 8; count += 1) {
      whole.progress();
      jest.advanceTimersByTime(30);
    }
    expect(whole.exceeded?.message).toMatch(/did not finish/);
  });

  it('do not mistake a slow reader for a silent model', () => {
    const deadlines = Deadlines.ofStream(CALLER, { ...CONFIG, totalMs: 1000 });
    deadlines.progress();
    deadlines.pause();
    jest.advanceTimersByTime(400);
    expect(deadlines.exceeded).toBeUndefined();
    deadlines.resume();
    jest.advanceTimersByTime(49);
    expect(deadlines.exceeded).toBeUndefined();
    jest.advanceTimersByTime(1);
    expect(deadlines.exceeded?.message).toMatch(/stopped sending/);
  });

  it('abort with the caller, before and after the start, and remove the listener', () => {
    const caller = new AbortController();
    const running = Deadlines.ofStream(caller.signal, CONFIG);
    const ended = Deadlines.ofStream(caller.signal, CONFIG);
    ended.stop();
    caller.abort(new Error('gone'));
    expect([running.signal.aborted, ended.signal.aborted, running.exceeded]).toEqual([
      true,
      false,
      undefined,
    ]);
    expect(Deadlines.ofAnswer(caller.signal, CONFIG).signal.aborted).toBe(true);
  });

  it('leave no timer running', () => {
    const deadlines = Deadlines.ofStream(CALLER, CONFIG);
    deadlines.progress();
    deadlines.stop();
    expect(jest.getTimerCount()).toBe(0);
  });
});
