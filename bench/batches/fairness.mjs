import { setTimeout as delay } from 'node:timers/promises';
import { Client } from '../load.mjs';
import { median, quantile } from '../statistics.mjs';
import { readTimes, untilEnded } from './batch-client.mjs';
import { printFigure, printHeading, round } from './report.mjs';

/** People who ask at the same time, and the pause of each between two questions, in milliseconds. */
const PEOPLE = 4;
const PAUSE_MS = 50;
const TOKENS = 20;

/** Items of the small batch. */
const FEW = 10;

const GOALS = { stream: 1.3, few: 2 };

/**
 * Compares the time to the first token of streams, and the time of a batch of ten, while a large batch of another
 * account runs, with the same in an idle server.
 * @param {import('./deployment.mjs').Environment} environment
 */
export async function measureFairness(environment, { items, streams, rounds }) {
  printHeading(`Beside a batch of ${items} items of another account`);
  const deployment = await environment.deploy();
  const { database } = deployment;
  try {
    const [owner, other] = [await deployment.register(), await deployment.register()];
    const measure = async () => ({
      streams: await timeStreams(deployment, other, streams),
      few: await timeSmallBatches(database, other, rounds),
    });
    // Warms up everything.
    await untilEnded(database, await owner.submit(FEW * 50));
    await measure();

    const idle = await measure();
    const large = await owner.submit(items);
    await database.until('SELECT completed_count > 0 AS reached FROM batches WHERE id = $1', [large]);
    const busy = await measure();
    const [{ left }] = await database.query(
      'SELECT total - completed_count AS left FROM batches WHERE id = $1',
      [large],
    );
    if (left === 0) throw new Error('The large batch ended before the measurement: give it more items.');
    await owner.cancel(large);

    const p95 = { busy: quantile(busy.streams, 0.95), idle: quantile(idle.streams, 0.95) };
    const p50 = { busy: median(busy.streams), idle: median(idle.streams) };
    printFigure('time to the first token of a stream, p95', {
      value: p95.busy / p95.idle,
      unit: 'times',
      atMost: GOALS.stream,
      detail: `${round(p95.busy)} beside ${round(p95.idle)} ms, p50 ${round(p50.busy)} beside ${round(p50.idle)} ms, of ${streams}`,
    });
    const few = { busy: median(busy.few), idle: median(idle.few) };
    printFigure(`time of a batch of ${FEW}`, {
      value: few.busy / few.idle,
      unit: 'times',
      atMost: GOALS.few,
      detail: `median ${round(few.busy)} beside ${round(few.idle)} ms, of ${rounds}; ${left} items of the large one left`,
    });
  } finally {
    await deployment.remove();
  }
}

/** Sends streams as people do, and returns the times to their first token. */
async function timeStreams(deployment, account, count) {
  const client = new Client(deployment.server.url);
  const call = account.stream(TOKENS);
  const times = [];
  let left = count;
  const ask = async (person) => {
    // Not all at the same moment.
    await delay((PAUSE_MS * person) / PEOPLE);
    while (left > 0) {
      left -= 1;
      times.push((await client.send(call)).firstByteMs);
      await delay(PAUSE_MS);
    }
  };
  await Promise.all(Array.from({ length: PEOPLE }, (_, person) => ask(person)));
  await client.close();
  return times;
}

/** Returns the times from the submission of small batches to the last result of each. */
async function timeSmallBatches(database, account, rounds) {
  const times = [];
  for (let count = 0; count < rounds; count += 1) {
    const id = await account.submit(FEW);
    await untilEnded(database, id);
    times.push((await readTimes(database, id)).last);
  }
  return times;
}
