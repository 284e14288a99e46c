import { expect, it } from '@jest/globals';
import { Pauses } from './pauses.js';

function setUp() {
  const clock = { now: 0 };
  return { clock, pauses: new Pauses(() => clock.now) };
}

it('a pause ends after the time that the other side asked for', () => {
  const { clock, pauses } = setUp();
  pauses.pause('openai', 3_000);
  pauses.pause('ollama', 5_000);
  expect(pauses.activeKeys()).toEqual(['openai', 'ollama']);
  expect(pauses.nextEndMs()).toBe(3_000);
  clock.now = 3_000;
  expect(pauses.activeKeys()).toEqual(['ollama']);
  clock.now = 5_000;
  expect(pauses.activeKeys()).toEqual([]);
  expect(pauses.nextEndMs()).toBeUndefined();
});

it('each pause in a row is twice as long without a hint, up to a minute', () => {
  const { clock, pauses } = setUp();
  const lengths = Array.from({ length: 8 }, () => {
    pauses.pause('openai', undefined);
    const length = pauses.nextEndMs() ?? 0;
    clock.now += length;
    return length;
  });
  expect(lengths).toEqual([1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000]);
});

it('failures of calls that ran side by side count as one pause', () => {
  const { clock, pauses } = setUp();
  for (let call = 0; call < 16; call += 1) pauses.pause('openai', undefined);
  clock.now = 1_000;
  pauses.pause('openai', undefined);
  expect(pauses.nextEndMs()).toBe(2_000);
});

it('a success forgets earlier pauses, and does not end one that is in progress', () => {
  const { clock, pauses } = setUp();
  pauses.pause('openai', undefined);
  pauses.succeed('openai');
  expect(pauses.activeKeys()).toEqual(['openai']);
  clock.now = 1_000;
  pauses.succeed('openai');
  pauses.pause('openai', undefined);
  expect(pauses.nextEndMs()).toBe(1_000);
});

it('a hint of hours is limited to a minute, after which the provider is asked again', () => {
  const { pauses } = setUp();
  pauses.pause('openai', 7_200_000);
  expect(pauses.nextEndMs()).toBe(60_000);
});
