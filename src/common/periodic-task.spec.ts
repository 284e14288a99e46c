import { afterEach, beforeEach, expect, it, jest } from '@jest/globals';
import { PeriodicTask } from './periodic-task.js';

beforeEach(() => {
  jest.useFakeTimers();
});

afterEach(() => {
  jest.useRealTimers();
});

it('no run starts while the previous one is still running', async () => {
  const runs: PromiseWithResolvers<undefined>[] = [];
  const task = new PeriodicTask({
    firstAfterMs: 10,
    everyMs: 100,
    run: () => {
      const run = Promise.withResolvers<undefined>();
      runs.push(run);
      return run.promise;
    },
    onError: () => undefined,
  });
  task.start();
  await jest.advanceTimersByTimeAsync(1_000);
  expect(runs).toHaveLength(1);
  runs[0]?.resolve(undefined);
  await jest.advanceTimersByTimeAsync(99);
  expect(runs).toHaveLength(1);
  await jest.advanceTimersByTimeAsync(1);
  expect(runs).toHaveLength(2);
  runs[1]?.resolve(undefined);
  await task.stop();
});

it('a failed run is reported, and the next one starts anyway', async () => {
  const errors: unknown[] = [];
  const failure = new Error('away');
  const task = new PeriodicTask({
    firstAfterMs: 10,
    everyMs: 100,
    run: () => Promise.reject(failure),
    onError: (error) => errors.push(error),
  });
  task.start();
  await jest.advanceTimersByTimeAsync(250);
  expect(errors).toEqual([failure, failure, failure]);
  await task.stop();
});

it('stopping aborts the current run, waits for its end, and prevents further runs', async () => {
  let ended = false;
  let runs = 0;
  const task = new PeriodicTask({
    firstAfterMs: 10,
    everyMs: 100,
    run: async (signal) => {
      runs += 1;
      await new Promise((resolve) => {
        signal.addEventListener('abort', resolve, { once: true });
      });
      ended = true;
    },
    onError: () => undefined,
  });
  task.start();
  await jest.advanceTimersByTimeAsync(10);
  await task.stop();
  expect(ended).toBe(true);
  await jest.advanceTimersByTimeAsync(1_000);
  expect(runs).toBe(1);
});
