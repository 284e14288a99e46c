import { Client } from '../load.mjs';
import { median } from '../statistics.mjs';
import { readTimes, untilEnded } from './batch-client.mjs';
import { cpuMsEach } from './deployment.mjs';
import { printFigure, printHeading, round } from './report.mjs';

/** Ways to run batches, and the items a second that each is to reach. */
const WAYS = [
  { title: 'inline, on PostgreSQL', withWorker: false, itemsASecond: 150 },
  { title: 'one worker, on Redis', withWorker: true, itemsASecond: 300 },
];

/** Greatest CPU time of an item, as a multiple of that of the same call by itself. */
const CPU_GOAL = 2;

/** Calls at once, as many as an account has items at once by default. */
const CONCURRENCY = 7;

/** Batches of one request each, for the time to the first result. */
const SINGLE = 20;

/**
 * Measures the items a second of one account, their CPU time beside that of the same calls by themselves, and the time
 * to the first result.
 * @param {import('./deployment.mjs').Environment} environment
 */
export async function measureSpeed(environment, { items }) {
  for (const { title, withWorker, itemsASecond } of WAYS) {
    printHeading(`Speed, ${title}: ${items} items of one account`);
    const deployment = await environment.deploy({ withWorker });
    const { database } = deployment;
    try {
      const client = await deployment.register();
      await untilEnded(database, await client.submit(Math.ceil(items / 5)));
      await sendCalls(deployment, client, Math.ceil(items / 5));

      const call = await sendCalls(deployment, client, items);
      const before = await deployment.cpuMs();
      const id = await client.submit(items);
      await untilEnded(database, id);
      const item = cpuMsEach(before, await deployment.cpuMs(), items);
      const { last } = await readTimes(database, id);
      printFigure('throughput', { value: (items / last) * 1000, unit: 'items/s', atLeast: itemsASecond });
      const total = ({ servers, database: ofDatabase }) => servers + ofDatabase;
      printFigure('CPU of an item beside a call', {
        value: item.servers / call.servers,
        unit: 'times',
        atMost: CPU_GOAL,
        detail: `servers ${round(item.servers)} beside ${round(call.servers)} ms, PostgreSQL ${round(item.database)} beside ${round(call.database)} ms, together ${round(total(item) / total(call))} times`,
      });

      const firsts = [];
      for (let count = 0; count < SINGLE; count += 1) {
        const single = await client.submit(1);
        await untilEnded(database, single);
        firsts.push((await readTimes(database, single)).first);
      }
      printFigure('submission to first result', {
        value: median(firsts),
        unit: 'ms',
        detail: `at most ${round(Math.max(...firsts))} of ${SINGLE}`,
      });
    } finally {
      await deployment.remove();
    }
  }
}

/** Sends calls by themselves, and returns the CPU time of each. */
async function sendCalls(deployment, { call }, count) {
  const calls = new Client(deployment.server.url);
  const before = await deployment.cpuMs();
  let left = count;
  const sendOnes = async () => {
    while (left > 0) {
      left -= 1;
      await calls.send(call);
    }
  };
  await Promise.all(Array.from({ length: CONCURRENCY }, sendOnes));
  const each = cpuMsEach(before, await deployment.cpuMs(), count);
  await calls.close();
  return each;
}
