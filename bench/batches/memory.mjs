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

/**
 * Compares the memory of a server for a batch of many lines with that for one of 500: the greatest resident memory in
 * each phase, in the same process, first with the few lines. A fresh process reads the results, so that what ran before
 * does not hide what reading needs.
 * @param {import('./deployment.mjs').Environment} environment
 */
export async function measureMemory(environment, { lines }) {
  printHeading(`Memory of the server (RSS) with ${lines} lines beside ${SMALL}`);
  const deployment = await environment.deploy();
  const { database } = deployment;
  const client = await deployment.register();
  try {
    await warmUp(client, database);
    const small = await measureRun(deployment, client, SMALL);
    const large = await measureRun(deployment, client, lines);
    await deployment.restart();
    await warmUp(client, database);
    for (const batch of [small, large])
      await readAll(client, database, batch.id, (phase, run) => measurePhase(deployment, batch, phase, run));
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

async function warmUp(client, database) {
  for (let count = 0; count < WARM_UP; count += 1) {
    const id = await client.createFromFile(SMALL);
    await untilEnded(database, id);
    await readAll(client, database, id, (_phase, run) => run());
  }
}

/** Runs a batch, and returns its id and the greatest memory in each phase. */
async function measureRun(deployment, client, lines) {
  const { database } = deployment;
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

/** Writes and reads the results of a batch that has ended, in each way that there is. */
async function readAll(client, database, id, measure) {
  await measure('output file written', async () => {
    await database.query(
      `UPDATE batches SET status = 'finalizing', ended_at = NULL, due_at = now(), output_file_id = NULL,
         finalizing_at = now() WHERE id = $1`,
      [id],
    );
    await untilEnded(database, id);
  });
  const [{ file }] = await database.query('SELECT output_file_id AS file FROM batches WHERE id = $1', [id]);
  await measure('output file downloaded', () => client.drain(`/api/v1/files/${file}/content`));
  // Each API shows its own batches only.
  await database.query(`UPDATE batches SET api = 'parley' WHERE id = $1`, [id]);
  const results = `/api/v1/batch/${id}/results`;
  await measure('results as lines', () => client.drain(results));
  await measure('results in pages', async () => {
    for (let after = 0, more = true; more;) {
      const { last_id: last, has_more: hasMore } = await client.get(
        `${results}?limit=${PAGE}&after=${after}`,
      );
      [after, more] = [last, hasMore];
    }
  });
  await database.query(`UPDATE batches SET api = 'openai' WHERE id = $1`, [id]);
}
