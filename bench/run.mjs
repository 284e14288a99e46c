/*
 * node bench/run.mjs [--quick] [--only gateway,proxy,stream] [--dist DIR]
 *
 * Measures the built server against a raw proxy and a plain Nest controller, with a fast local provider, each in a
 * process of its own on this machine, and prints one table. `--only` takes targets (proxy, nest, gateway, open, and
 * turn, gateway-redis and turn-redis, which run only if they are named) and measurements (json, stream, latency,
 * slow); `--dist` takes another build. Targets ending in -redis need REDIS_URL. A figure that misses its goal is not
 * a failure.
 */
import { dirname, join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { Measurements } from './measure.mjs';
import { Fleet } from './processes.mjs';
import { Report } from './report.mjs';
import { directTarget, Folders, TARGETS } from './targets/index.mjs';

const FULL = {
  name: 'full',
  concurrency: 32,
  rounds: 5,
  // V8 optimizes a server of many modules for some seconds; it then takes less than half the time of the first requests.
  warmUpMs: 6000,
  windowMs: 2_000,
  pairs: 200,
  slow: { streams: 1000, tokens: 100, rampMs: 2000, warmUpMs: 300 },
};
const QUICK = {
  name: 'quick',
  concurrency: 32,
  rounds: 2,
  warmUpMs: 400,
  windowMs: 300,
  pairs: 60,
  slow: { streams: 1000, tokens: 15, rampMs: 700, warmUpMs: 200 },
};
const MEASUREMENTS = ['json', 'stream', 'latency', 'slow'];

const fleet = new Fleet();
const folders = new Folders();

let stopping = false;

async function cleanUp() {
  stopping = true;
  await fleet.close();
  await folders.remove();
}

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.once(signal, () => {
    console.error(`Stopping (${signal}) …`);
    cleanUp().finally(() => process.exit(130));
  });
}

function readArguments() {
  const { values } = parseArgs({
    options: { quick: { type: 'boolean' }, only: { type: 'string' }, dist: { type: 'string' } },
  });
  const keys = TARGETS.map(({ key }) => key);
  const only = values.only?.split(',') ?? [];
  const unknown = only.filter((name) => ![...keys, ...MEASUREMENTS].includes(name));
  if (unknown.length > 0)
    throw new Error(`--only takes ${[...keys, ...MEASUREMENTS].join(', ')}; not ${unknown}.`);
  const chosen = (usual, all = usual) => {
    const named = all.filter((name) => only.includes(name));
    return named.length > 0 ? named : usual;
  };
  const usual = TARGETS.filter(({ optional }) => !optional).map(({ key }) => key);
  const chosenTargets = chosen(usual, keys);
  return {
    plan: values.quick ? QUICK : FULL,
    targets: TARGETS.filter(({ key }) => chosenTargets.includes(key)),
    measurements: chosen(MEASUREMENTS),
    dist: resolve(values.dist ?? join(dirname(import.meta.dirname), 'dist')),
  };
}

/** One run and its state. */
class Run {
  #options;
  #report;
  #provider;
  #measure;
  #direct;
  /** Keys of the targets that are left out from now on. */
  #missing = new Set();

  constructor(options) {
    this.#options = options;
    this.#report = new Report(options.plan);
  }

  async all() {
    const { targets, measurements } = this.#options;
    this.#provider = await fleet.start({
      name: 'The provider',
      arguments: [join(import.meta.dirname, 'provider.mjs')],
    });
    this.#measure = new Measurements(this.#provider);
    this.#direct = directTarget(this.#provider);
    await this.#underLoad(measurements.filter((name) => name !== 'slow'));
    if (measurements.includes('slow')) await this.#slow();
    this.#report.print([...targets, this.#direct]);
    console.log(`\nAll figures: ${await this.#report.write()}`);
  }

  /** Measures all targets under load, each measurement of each target in turn, round by round. */
  async #underLoad(names) {
    if (names.length === 0) return;
    const { plan } = this.#options;
    console.error('Starting and warming up …');
    const running = await this.#startAll();
    const { concurrency, windowMs, pairs } = plan;
    for (const target of running) {
      await this.#try(target, () => this.#measure.warmUp(target, { concurrency, windowMs: plan.warmUpMs }));
    }
    const measurements = {
      json: (target) => this.#measure.json(target, { concurrency, windowMs }),
      stream: (target, round) => this.#measure.stream(target, { concurrency, windowMs, round }),
      latency: (target) => this.#measure.latency(target, this.#direct, { pairs }),
    };
    for (let round = 1; round <= plan.rounds; round += 1) {
      console.error(`Round ${round} of ${plan.rounds} …`);
      for (const name of names) {
        for (const target of running.filter((each) => takesPart(each, name))) {
          await this.#try(target, async () => {
            this.#report.add(name, target.key, await measurements[name](target, round));
          });
        }
      }
    }
    await this.#stopAll(running);
  }

  /** Measures one target after another, each in a process that has done nothing else. */
  async #slow() {
    const { slow } = this.#options.plan;
    const running = await this.#startAll();
    for (const target of [this.#direct, ...running].filter((each) => takesPart(each, 'slow'))) {
      console.error(`${slow.streams} slow streams: ${target.title} …`);
      await this.#try(target, async () => {
        this.#report.add('slow', target.key, await this.#measure.slow(target, slow));
      });
    }
    await this.#stopAll(running);
  }

  async #startAll() {
    const { targets } = this.#options;
    return (await Promise.all(targets.map((definition) => this.#start(definition)))).filter(Boolean);
  }

  async #stopAll(running) {
    await Promise.all(running.map(({ server }) => fleet.stop(server)));
  }

  /** Starts a target and checks that it can do what is measured; returns undefined if it is left out. */
  async #start({ start, ...facts }) {
    const { key, title } = facts;
    const { dist } = this.#options;
    const environment = { baseUrl: `${this.#provider.url}/v1`, dist, makeFolder: folders.make };
    return this.#try({ key, title }, async () => {
      const target = { ...facts, ...(await start(fleet, environment)) };
      await this.#measure.check(target);
      return target;
    });
  }

  /**
   * Runs an action with a target that is still part of the run. A target that fails is reported and left out from
   * then on.
   */
  async #try({ key, title }, action) {
    if (this.#missing.has(key)) return undefined;
    try {
      return await action();
    } catch (error) {
      if (stopping) throw error;
      this.#missing.add(key);
      this.#report.skip(title, error.message);
      console.error(`Leaving out ${title}: ${error.message}`);
      return undefined;
    }
  }
}

function takesPart({ measurements }, name) {
  return measurements?.includes(name) ?? true;
}

try {
  const oldestNode = 22;
  if (Number.parseInt(process.versions.node, 10) < oldestNode) {
    throw new Error(`This takes Node ${oldestNode} or newer, and is ${process.version}: npm run bench.`);
  }
  const startedAt = performance.now();
  await new Run(readArguments()).all();
  console.error(`The run took ${((performance.now() - startedAt) / 1000).toFixed(0)} s.`);
} catch (error) {
  // Errors caused by stopping the servers are not reported.
  if (!stopping) console.error(error.message);
  process.exitCode = 1;
} finally {
  await cleanUp();
}
