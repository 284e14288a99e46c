import { setTimeout as sleep } from 'node:timers/promises';
import { monotonicMs } from './clock.mjs';
import { Client } from './load.mjs';
import { median, quantile } from './statistics.mjs';

/** @typedef {import('./targets/index.mjs').Target} Target */

/**
 * Number of tokens of a long stream. The short one has a single token; the difference is the cost of the other
 * tokens.
 */
const LONG = 100;

/**
 * Time before each measured window, in milliseconds, under the same load: connections are open and caches are warm.
 */
const LEAD_IN_MS = 150;

const PACE_MS = 100;

const KILOBYTE = 1024;

/** Reads the CPU time of all processes at about the same moment. */
async function snapshot(target, provider) {
  const [own, theirs] = await Promise.all([target.server.sample(), provider.sample()]);
  const { user, system } = process.cpuUsage();
  return {
    atMs: performance.now(),
    target: own.cpuMs,
    provider: theirs.cpuMs,
    runner: (user + system) / 1000,
  };
}

/** Takes the measurements of one run, with one provider. */
export class Measurements {
  #provider;

  /** @param {Target['server']} provider */
  constructor(provider) {
    this.#provider = provider;
  }

  /**
   * Keeps calls running for a while and summarizes a window of that time.
   * @param {Target} target
   * @param {import('./load.mjs').Call} call
   * @param {{ concurrency: number, windowMs: number }} options
   */
  async #underLoad(target, call, { concurrency, windowMs }) {
    const client = new Client(target.server.url);
    let outcomes = [];
    const stop = client.keepBusy(call, concurrency, (outcome) => outcomes.push(outcome));
    let measured;
    try {
      await sleep(LEAD_IN_MS);
      const before = await snapshot(target, this.#provider);
      outcomes = [];
      await sleep(windowMs);
      const after = await snapshot(target, this.#provider);
      // Without those that end while the calls are stopped, which cost their CPU after the window.
      measured = { outcomes: outcomes.slice(), before, after };
    } finally {
      await stop().finally(() => client.close());
    }
    return summarize(measured);
  }

  /** Measures complete responses, with this many calls at a time. */
  async json(target, options) {
    const { perSecond, totalMs, cpuMsEach, busy } = await this.#underLoad(target, target.json, options);
    return {
      perSecond,
      p50Ms: quantile(totalMs, 0.5),
      p99Ms: quantile(totalMs, 0.99),
      cpuMs: cpuMsEach,
      ...busy,
    };
  }

  /** Measures streams of one token and of a hundred, alternating which comes first. */
  async stream(target, { round, ...options }) {
    const measured = {};
    for (const tokens of round % 2 === 0 ? [1, LONG] : [LONG, 1]) {
      measured[tokens] = await this.#underLoad(target, target.stream(tokens), options);
    }
    const { [1]: short, [LONG]: long } = measured;
    return {
      perSecond: long.perSecond,
      firstByteP50Ms: quantile(long.firstByteMs, 0.5),
      firstByteP99Ms: quantile(long.firstByteMs, 0.99),
      cpuMs: long.cpuMsEach,
      cpuMsOfOneToken: short.cpuMsEach,
      cpuMicrosecondsAnEvent: ((long.cpuMsEach - short.cpuMsEach) / (LONG - 1)) * 1000,
      eventsEach: long.eventsEach,
      eventsARead: long.eventsARead,
      ...long.busy,
    };
  }

  /** Measures complete responses one after another, alternating between the provider and the target. */
  async latency(target, direct, { pairs }) {
    const clients = { target: new Client(target.server.url), direct: new Client(direct.server.url) };
    const times = { target: [], direct: [] };
    const unmeasured = Math.ceil(pairs / 10);
    try {
      for (let pair = -unmeasured; pair < pairs; pair += 1) {
        const fromProvider = await clients.direct.send(direct.json);
        const fromTarget = await clients.target.send(target.json);
        if (pair < 0) continue;
        times.direct.push(fromProvider.totalMs);
        times.target.push(fromTarget.totalMs);
      }
    } finally {
      await Promise.all([clients.target.close(), clients.direct.close()]);
    }
    const [medianMs, directMs] = [median(times.target), median(times.direct)];
    return { medianMs, directMs, addedMs: medianMs - directMs };
  }

  /**
   * Measures many slow streams at once, on a process that has done little before.
   * @param {Target} target
   * @param {{ streams: number, tokens: number, rampMs: number, warmUpMs: number }} options
   */
  async slow(target, { streams, tokens, rampMs, warmUpMs }) {
    await this.warmUp(target, { concurrency: 8, windowMs: warmUpMs });
    const client = new Client(target.server.url);
    const idle = await target.server.sample({ collect: true });
    const call = target.stream(tokens, `bench-${PACE_MS}ms`);

    let lateness = [];
    const read = (piece) => {
      const now = monotonicMs();
      for (const [, due] of piece.latin1Slice().matchAll(/@(\d+\.\d)/g)) lateness.push(now - Number(due));
    };
    let open = 0;
    let peakRss = idle.rssBytes;
    const watch = setInterval(() => {
      target.server.sample().then(
        ({ rssBytes }) => (peakRss = Math.max(peakRss, rssBytes)),
        () => undefined,
      );
    }, 250);
    try {
      const running = [];
      const startedAt = performance.now();
      for (let index = 0; index < streams; index += 1) {
        const wait = startedAt + (index * rampMs) / streams - performance.now();
        if (wait > 1) await sleep(wait);
        open += 1;
        running.push(client.send(call, read).finally(() => (open -= 1)));
      }
      const all = Promise.all(running);
      all.catch(() => undefined);
      // All streams are running now, and the first ones have a fifth of their tokens left.
      const allRunning = await target.server.sample();
      const untilLate = startedAt + tokens * PACE_MS * 0.8 - performance.now();
      const measuredFrom = performance.now();
      await Promise.race([sleep(Math.max(0, untilLate)), all]);
      const late = await target.server.sample();
      const measuredMs = performance.now() - measuredFrom;
      const counted = lateness;
      // Measuring the memory pauses the process; that pause must not count as a delay of tokens.
      lateness = [];
      const collected = await target.server.sample({ collect: true });
      const stillOpen = open;
      await all;
      const peakBytes = Math.max(peakRss, late.rssBytes);
      return {
        rssKb: (peakBytes - idle.rssBytes) / streams / KILOBYTE,
        rssMb: peakBytes / KILOBYTE / KILOBYTE,
        liveKb: (collected.heapBytes - idle.heapBytes) / stillOpen / KILOBYTE,
        lateP50Ms: quantile(counted, 0.5),
        lateP999Ms: quantile(counted, 0.999),
        lateMaxMs: quantile(counted, 1),
        core: (late.cpuMs - allRunning.cpuMs) / measuredMs,
        tokens: counted.length,
      };
    } finally {
      clearInterval(watch);
      await client.close();
    }
  }

  /** Warms up the process's JIT compiler with everything that is measured. */
  async warmUp(target, options) {
    for (const call of [target.json, target.stream(1), target.stream(LONG)]) {
      await this.#underLoad(target, call, options);
    }
  }

  /** @throws Error with the response if the target cannot do what is measured */
  async check(target) {
    const client = new Client(target.server.url);
    try {
      await client.send(target.json);
      const { events } = await client.send(target.stream(LONG));
      // A target may declare that it coalesces events that arrive at once.
      if (events <= LONG && !target.coalesces) throw new Error(`sent ${events} events for ${LONG} tokens`);
    } finally {
      await client.close();
    }
  }
}

function summarize({ outcomes, before, after }) {
  const elapsedMs = after.atMs - before.atMs;
  const count = outcomes.length;
  const sum = (of) => outcomes.reduce((total, outcome) => total + of(outcome), 0);
  const events = sum((outcome) => outcome.events);
  const share = (who) => (after[who] - before[who]) / elapsedMs;
  return {
    perSecond: (count / elapsedMs) * 1000,
    totalMs: outcomes.map((outcome) => outcome.totalMs),
    firstByteMs: outcomes.map((outcome) => outcome.firstByteMs),
    cpuMsEach: (after.target - before.target) / count,
    eventsEach: events / count,
    eventsARead: events / sum((outcome) => outcome.pieces),
    busy: { core: share('target'), providerCore: share('provider'), runnerCore: share('runner') },
  };
}
