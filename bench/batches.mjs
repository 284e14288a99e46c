/*
 * node bench/batches.mjs [--only memory,speed,claims,fairness] [--lines 50000] [--items 5000] [--large 50000]
 *   [--claims 300] [--streams 400] [--rounds 15]
 *
 * Measures batches of the built server with a provider that answers at once, over a PostgreSQL and a Redis of its own:
 * the memory for a file of `--lines`; throughput and CPU time of `--items`, inline and with a worker, beside the same
 * calls by themselves; `--claims` claims while 1,000 batches wait beside one; `--streams` streams, and `--rounds` batches
 * of ten items, while a batch of `--large` items of another account runs beside an idle server. Only ratios within one
 * run are comparable. Linux only, because memory and the CPU time of PostgreSQL come from /proc.
 */
import { availableParallelism, cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { measureClaims } from './batches/claims.mjs';
import { Environment } from './batches/deployment.mjs';
import { measureFairness } from './batches/fairness.mjs';
import { measureMemory } from './batches/memory.mjs';
import { measureSpeed } from './batches/speed.mjs';
import { runMeasurement } from './processes.mjs';

const PARTS = {
  memory: (environment, { lines }) => measureMemory(environment, { lines }),
  speed: (environment, { items }) => measureSpeed(environment, { items }),
  claims: (environment, { claims }) => measureClaims(environment, { rounds: claims }),
  fairness: (environment, { large, streams, rounds }) =>
    measureFairness(environment, { items: large, streams, rounds }),
};

const COUNTS = { lines: 50_000, items: 5_000, large: 50_000, claims: 300, streams: 400, rounds: 15 };

function readOptions() {
  const option = (value) => ({ type: 'string', default: String(value) });
  const counts = Object.fromEntries(Object.entries(COUNTS).map(([name, value]) => [name, option(value)]));
  const { values } = parseArgs({ options: { only: option(Object.keys(PARTS)), ...counts } });
  const { only, ...given } = values;
  const parts = only.split(',');
  for (const part of parts) if (!(part in PARTS)) throw new Error(`There is no part ${part}.`);
  return {
    parts,
    counts: Object.fromEntries(Object.entries(given).map(([name, value]) => [name, Number(value)])),
  };
}

const { parts, counts } = readOptions();
const environment = new Environment();
await runMeasurement(
  environment.fleet,
  async () => {
    console.log(`${availableParallelism()} cores (${cpus()[0]?.model}), Node ${process.version}`);
    await environment.open();
    for (const part of parts) await PARTS[part](environment, counts);
  },
  () => environment.close(),
);
