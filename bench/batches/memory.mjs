import { residentMb, resetPeak } from '../linux-processes.mjs';
import { untilEnded } from './batch-client.mjs';
import { printFigure, printHeading, round } from './report.mjs';

/** Lines of the small batch, and how much more memory the large one may need, in megabytes. */
const SMALL = 500;
const GOAL_MB = 30;

/** Batches of {@link SMALL} that a fresh process runs before it is measured: caches are warm, and code is compiled. */
const WARM_UP = 4;

/** Number of results of a page: the same for both batches. */
const PAGE = SMALL;

/** Ways to write and to read the results of a batch that has ended. */
const RESULT_PHASES = {
  'output file written': async ({ database }, id) => {
    await database.query(
      `UPDATE batches SET status = 'finalizing', ended_at = NULL, due_at = now(), output_file_id = NULL,
         finalizing_at = now() WHERE id = $1`,
      [id],
    );
    await untilEnded(database, id);
  },
  'output file downloaded': async ({ database, client }, id) => {
    const [{ file }] = await database.query('SELECT output_file_id AS file FROM batches WHERE id = $1', [id]);
    await client.drain(`/api/v1/files/${file}/content`);
  },
  'results as lines': (run, id) => asOwnBatch(run, id, () => run.client.drain(resultsOf(id))),
  'results in pages': (run, id) =>
    asOwnBatch(run, id, async () => {
      for (let after = 0, more = true; more;) {
        const page = await run.client.get(`${resultsOf(id)}?limit=${PAGE}&after=${after}`);
        [after, more] = [page.last_id, page.has_more];
      }
    }),
};

const resultsOf = (id) => `/api/v1/batch/${id}/results`;

/** Shows a batch to the other API: each shows its own batches only. */
async function asOwnBatch({ database }, id, run) {
  await database.query(`UPDATE batches SET api = 'parley' WHERE id = $1`, [id]);
  await run();
  await database.query(`UPDATE batches SET api = 'openai' WHERE id = $1`, [id]);
}

/**
 * Compares the memory of a server for a batch of many lines with that for one of 500: the greatest resident memory in
 * each phase. The batches run in one process, first the one with the few lines. A fresh process does each of the other
 * phases, so that what ran before does not hide what it needs, and for both batches: the memory of two processes that
 * have done the same differs by more than the goal.
 * @param {import('./deployment.mjs').Environment} environment
 */
export async function measureMemory(environment, { lines }) {
  printHeading(`Memory of the server (RSS) with ${lines} lines beside ${SMALL}`);
  const deployment = await environment.deploy();
  const { database } = deployment;
  const run = { database, client: await deployment.register() };
  try {
    await warmUp(run);
    const small = await measureRun(deployment, run, SMALL);
    const large = await measureRun(deployment, run, lines);
    for (const [phase, read] of Object.entries(RESULT_PHASES)) {
      await deployment.restart();
      await warmUp(run);
      for (const batch of [small, large]) {
        await measurePhase(deployment, batch, phase, () => read(run, batch.id));
      }
    }
    for (const [phase, peak] of Object.entries(large.peaks)) {
      printFigure(phase, {
        value: peak - small.peaks[phase],
        unit: 'MB more',
        // While requests run, the memory is mostly that of the calls.
        atMost: phase === 'running' ? undefined : GOAL_MB,
        detail: `at most ${round(peak)} MB, with ${SMALL} lines ${round(small.peaks[phase])} MB`,
      });
    }
  } finally {
    await deployment.remove();
  }
}

async function warmUp(run) {
  for (let count = 0; count < WARM_UP; count += 1) {
    const id = await run.client.createFromFile(SMALL);
    await untilEnded(run.database, id);
    for (const read of Object.values(RESULT_PHASES)) await read(run, id);
  }
}

/** Runs a batch, and returns its id and the greatest memory in each phase. */
async function measureRun(deployment, { client, database }, lines) {
  const batch = { id: '', peaks: {} };
  await measurePhase(deployment, batch, 'input file', async () => {
    batch.id = await client.createFromFile(lines);
    await database.until('SELECT total IS NOT NULL AS reached FROM batches WHERE id = $1', [batch.id], 20);
  });
  await measurePhase(deployment, batch, 'running', () => untilEnded(database, batch.id));
  return batch;
}

/** Runs a phase of a batch after a garbage collection, and stores the greatest memory in it. */
async function measurePhase({ server }, batch, phase, run) {
  await server.sample({ collect: true });
  resetPeak(server.pid);
  await run();
  batch.peaks[phase] = residentMb(server.pid, 'VmHWM');
}
