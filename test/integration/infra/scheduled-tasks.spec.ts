// Real here: the queue, on PostgreSQL or, in a run with Redis, on that.
import { getQueueToken } from '@nestjs/bullmq';
import { Module } from '@nestjs/common';
import { Test, type TestingModule } from '@nestjs/testing';
import { afterEach, beforeEach, expect, it } from '@jest/globals';
import type { JobSchedulerJson, Queue } from 'bullmq';
import {
  QueueModule,
  SCHEDULED_TASKS_QUEUE,
  type ScheduledTask,
  ScheduledTasksModule,
} from '../../../src/infra/queue/index.js';
import { createMigratedDatabase, type TestDatabase } from '../../support/database.js';
import { redisKeyPrefix, testRedisUrl } from '../../support/redis.js';
import { until } from '../../support/stored.js';

const HOUR_MS = 3_600_000;

/** Work and timing of the task in the next process. */
let plan: Omit<ScheduledTask, 'name'>;

class PlannedTask implements ScheduledTask {
  readonly name = 'planned';
  readonly firstAfterMs = plan.firstAfterMs;
  readonly everyMs = plan.everyMs;
  readonly run = plan.run;
}

@Module({ providers: [PlannedTask], exports: [PlannedTask] })
class PlannedModule {}

let database: TestDatabase;
let processes: TestingModule[];

beforeEach(async () => {
  database = await createMigratedDatabase();
  processes = [];
});

afterEach(async () => {
  await Promise.all(processes.map((process) => process.close()));
  await database.drop();
});

async function startProcess(): Promise<TestingModule> {
  const module = await Test.createTestingModule({
    imports: [
      QueueModule.forRoot({
        redisUrl: testRedisUrl,
        redisKeyPrefix: redisKeyPrefix(database),
        connectionString: database.url,
      }),
      ScheduledTasksModule.forRoot({ imports: [PlannedModule], tasks: [PlannedTask] }),
    ],
  }).compile();
  processes.push(module);
  await module.init();
  return module;
}

function queueOf(module: TestingModule): Queue {
  return module.get<Queue>(getQueueToken(SCHEDULED_TASKS_QUEUE), { strict: false });
}

/** Schedule of the task, once it was written after a time. */
function scheduleWrittenAfter(time: number, module: TestingModule): Promise<JobSchedulerJson> {
  return until('the schedule of the task', async () => {
    const schedule = await queueOf(module).getJobScheduler('planned');
    return schedule !== undefined && Number(schedule.startDate) > time && schedule;
  });
}

it('a task runs again and again, and never twice at once in all processes together', async () => {
  const runs: { ended: boolean }[] = [];
  let overlaps = 0;
  plan = {
    firstAfterMs: 0,
    everyMs: 50,
    run: async () => {
      if (runs.some(({ ended }) => !ended)) overlaps += 1;
      const run = { ended: false };
      runs.push(run);
      // Longer than the interval, so that the next run is due before this one ends.
      await new Promise((resolve) => setTimeout(resolve, 120));
      run.ended = true;
    },
  };
  await Promise.all([startProcess(), startProcess()]);
  await until('six runs', () => runs.length >= 6);
  expect(overlaps).toBe(0);
});

it('a process that starts later leaves the next run where it was', async () => {
  plan = { firstAfterMs: HOUR_MS, everyMs: 24 * HOUR_MS, run: () => Promise.resolve() };
  const began = Date.now();
  const first = await startProcess();
  const { next } = await scheduleWrittenAfter(began, first);
  expect(next).toBeGreaterThanOrEqual(began + HOUR_MS);
  expect(next).toBeLessThanOrEqual(Date.now() + HOUR_MS);
  await first.close();
  plan = { ...plan, firstAfterMs: 2 * HOUR_MS };
  const second = await startProcess();
  expect((await scheduleWrittenAfter(Date.now() + HOUR_MS, second)).next).toBe(next);
});

it('a run that fails does not keep the next one from coming', async () => {
  let runs = 0;
  plan = {
    firstAfterMs: 0,
    everyMs: 50,
    run: () => {
      runs += 1;
      return Promise.reject(new Error('The storage is away.'));
    },
  };
  await startProcess();
  await until('three runs', () => runs >= 3);
});

it('a process that shuts down aborts the current run and waits for its end, and the next start completes it', async () => {
  const events: string[] = [];
  plan = {
    firstAfterMs: 0,
    everyMs: HOUR_MS,
    run: async (signal) => {
      events.push('begun');
      await new Promise((resolve) => {
        signal.addEventListener('abort', resolve, { once: true });
      });
      await new Promise((resolve) => setTimeout(resolve, 50));
      events.push('ended');
    },
  };
  const module = await startProcess();
  await until('the run', () => events.length === 1);
  await module.close();
  expect(events).toEqual(['begun', 'ended']);
  await startProcess();
  await until('the rest of the run', () => events.length === 3);
});
