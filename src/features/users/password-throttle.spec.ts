import { beforeEach, describe, expect, it } from '@jest/globals';
import { Clock } from '../../common/clock.js';
import { AppError } from '../../common/errors.js';
import { PasswordThrottle } from './password-throttle.js';

class SetClock extends Clock {
  time = 1_000_000;

  override now(): number {
    return this.time;
  }
}

let clock: SetClock;
let throttle: PasswordThrottle;

beforeEach(() => {
  clock = new SetClock();
  throttle = new PasswordThrottle(clock);
});

/** Tries a wrong password. Returns the required wait in milliseconds; 0 if the attempt was admitted. */
function tryWrong(account = 'ada', address = '192.0.2.1'): number {
  try {
    throttle.admit(account, address);
    return 0;
  } catch (error) {
    if (error instanceof AppError && error.code === 'rate_limit_exceeded') return error.retryAfterMs ?? -1;
    throw error;
  }
}

describe('PasswordThrottle', () => {
  it('doubles the wait for each further guess, up to a quarter of an hour', () => {
    for (let round = 0; round < 10; round += 1) expect(tryWrong()).toBe(0);
    const waits: number[] = [];
    for (let round = 0; round < 13; round += 1) {
      const wait = tryWrong();
      waits.push(wait / 1000);
      clock.time += wait;
      expect(tryWrong()).toBe(0);
    }
    expect(waits.slice(0, 6)).toEqual([1, 2, 4, 8, 16, 32]);
    expect(Math.max(...waits)).toBe(900);
  });

  it('admits no more attempts if all arrive at once', () => {
    const results = Array.from({ length: 50 }, () => tryWrong());
    expect(results.filter((wait) => wait === 0)).toHaveLength(10);
  });

  it('resets the wrong attempts after a correct password', () => {
    for (let round = 0; round < 9; round += 1) tryWrong();
    throttle.admit('ada', '192.0.2.1')();
    for (let round = 0; round < 10; round += 1) expect(tryWrong()).toBe(0);
  });

  it('does not lock out the owner at another address', () => {
    for (let round = 0; round < 60; round += 1) tryWrong('ada', '192.0.2.66');
    expect(tryWrong('ada', '192.0.2.66')).toBeGreaterThan(0);
    expect(tryWrong('ada', '192.0.2.1')).toBe(0);
  });

  it('limits the attempts of one address on many accounts for a while', () => {
    for (let round = 0; round < 100; round += 1) expect(tryWrong(`user-${round}`)).toBe(0);
    expect(tryWrong('somebody')).toBe(900_000);
    expect(tryWrong('somebody', '192.0.2.2')).toBe(0);
    clock.time += 900_000;
    expect(tryWrong('somebody')).toBe(0);
  });

  it('limits the attempts of many addresses on one account, except where its owner has logged in', () => {
    throttle.admit('ada', '192.0.2.1')();
    for (let round = 0; round < 100; round += 1) expect(tryWrong('ada', `198.51.100.${round}`)).toBe(0);
    expect(tryWrong('ada', '203.0.113.1')).toBe(900_000);
    expect(tryWrong('ada', '192.0.2.1')).toBe(0);
    clock.time += 900_000;
    expect(tryWrong('ada', '203.0.113.1')).toBe(0);
  });
});
