import { mkdir, writeFile } from 'node:fs/promises';
import { availableParallelism, cpus, loadavg } from 'node:os';
import { dirname, join } from 'node:path';
import { spread } from './statistics.mjs';

/** @typedef {import('./statistics.mjs').Spread} Spread */

const resultsFile = join(import.meta.dirname, 'results', 'latest.json');

/** The rows of each measurement: key of a figure, its label, and true if its ratio to other targets is meaningful. */
const ROWS = {
  json: [
    ['perSecond', 'requests/s', true],
    ['p50Ms', 'latency p50, ms'],
    ['p99Ms', 'latency p99, ms'],
    ['cpuMs', 'CPU-ms a request', true],
  ],
  stream: [
    ['perSecond', 'streams/s', true],
    ['firstByteP50Ms', 'first byte p50, ms'],
    ['firstByteP99Ms', 'first byte p99, ms'],
    ['cpuMs', 'CPU-ms a stream', true],
    ['cpuMicrosecondsAnEvent', 'CPU-µs an event beyond the first', true],
    ['eventsEach', 'events a stream'],
    ['eventsARead', 'events a read of the client'],
  ],
  latency: [
    ['medianMs', 'median, ms'],
    ['directMs', 'the provider alone, ms'],
    ['addedMs', 'added at the median, ms', true],
  ],
  slow: [
    ['rssKb', 'memory (RSS) a stream, KB', true],
    ['rssMb', 'memory of the process then, MB'],
    ['liveKb', 'live heap and buffers, KB', true],
    ['lateP50Ms', 'token late p50, ms'],
    ['lateP999Ms', 'token late p99.9, ms'],
    ['lateMaxMs', 'token late at most, ms'],
    ['core', 'share of a core', true],
  ],
};

/**
 * Goals of the gateway, or of the target named by `subject`: for a figure of its own, for its ratio to that of
 * another target, or for the difference.
 */
const GOALS = [
  { text: 'CPU of a request', of: ['json', 'cpuMs'], to: 'proxy', atMost: 3 },
  { text: 'CPU of a request', of: ['json', 'cpuMs'], to: 'nest', atMost: 1 },
  {
    text: 'CPU of accounts and limits',
    of: ['json', 'cpuMs'],
    to: 'open',
    compare: (ours, theirs) => ours - theirs,
    atMost: 0.15,
    unit: 'ms',
  },
  { text: 'CPU of an event', of: ['stream', 'cpuMicrosecondsAnEvent'], to: 'proxy', atMost: 1.7 },
  { text: 'added at the median', of: ['latency', 'addedMs'], atMost: 1, unit: 'ms' },
  { text: 'memory of a slow stream', of: ['slow', 'rssKb'], atMost: 60, unit: 'KB' },
  { text: 'latest token', of: ['slow', 'lateMaxMs'], atMost: 100, unit: 'ms' },
  ...[
    { subject: 'turn', to: 'gateway' },
    { subject: 'turn-redis', to: 'gateway-redis' },
  ].flatMap((pair) => [
    { text: 'CPU of a stream', ...pair, of: ['stream', 'cpuMs'], atMost: 1.6 },
    { text: 'first byte', ...pair, of: ['stream', 'firstByteP50Ms'], atMost: 1.5 },
  ]),
];

/** The keys of the CPU shares of a measurement: of the target, the provider and the client. */
const BUSY = {
  json: ['core', 'providerCore', 'runnerCore'],
  stream: ['core', 'providerCore', 'runnerCore'],
};

/** Load average above which other work distorts the figures. */
const QUIET_LOAD = 0.5;

const SUBJECT = 'gateway';
const WIDTH = { label: 36, cell: 21, ratio: 14 };

/** Collects the figures of a run and prints them. */
export class Report {
  #plan;
  #startedAt = new Date();
  #loadAtStart = loadavg()[0];
  /** Measurement → target → rounds. @type {Record<string, Record<string, Record<string, number>[]>>} */
  #rounds = {};
  /** Target → why it was left out. @type {Record<string, string>} */
  #skipped = {};

  /** @param {{ name: string, concurrency: number, slow: { streams: number } }} plan */
  constructor(plan) {
    this.#plan = plan;
  }

  /** Adds the figures of one round. */
  add(measurement, target, figures) {
    ((this.#rounds[measurement] ??= {})[target] ??= []).push(figures);
  }

  skip(target, reason) {
    this.#skipped[target] = reason;
  }

  /** @param {readonly { key: string, title: string }[]} targets in the order of their columns */
  print(targets) {
    const measured = Object.values(this.#rounds);
    const columns = targets.filter(({ key }) => measured.some((ofTargets) => ofTargets[key] !== undefined));
    const compared = columns.filter(
      ({ key }) => ['proxy', 'nest'].includes(key) && columns.some((column) => column.key === SUBJECT),
    );
    const { cores, processor, node } = machine();
    console.log(`${cores} cores (${processor}), Node ${node}; everything runs on this machine`);
    if (this.#loadAtStart > QUIET_LOAD) {
      console.log(`Not quiet: the load was ${this.#loadAtStart.toFixed(1)} before the run began.`);
    }
    console.log();
    console.log(
      line(
        'median (least–greatest of the rounds)',
        columns.map(({ title }) => title),
        compared.map(({ title }) => `${SUBJECT}/${title.split(' ').at(-1)}`),
      ),
    );
    for (const measurement of Object.keys(ROWS)) {
      if (this.#rounds[measurement] === undefined) continue;
      console.log(`\n${this.#title(measurement)}`);
      for (const row of ROWS[measurement]) console.log(this.#row(measurement, row, columns, compared));
      if (measurement in BUSY) console.log(this.#busyRow(measurement, columns));
    }
    console.log(`\nGoals of the ${SUBJECT} (a missed one fails nothing)`);
    for (const goal of GOALS) console.log(this.#verdict(goal));
    for (const [target, reason] of Object.entries(this.#skipped))
      console.log(`\n${target} is missing: ${reason}`);
  }

  /** Writes all figures as JSON, including those not in the table. @returns {Promise<string>} the file */
  async write() {
    const results = {};
    for (const [measurement, ofTargets] of Object.entries(this.#rounds)) {
      for (const [target, [first]] of Object.entries(ofTargets)) {
        (results[target] ??= {})[measurement] = Object.fromEntries(
          Object.keys(first).map((key) => [key, this.#spread(measurement, key, target)]),
        );
      }
    }
    const goals = GOALS.map((goal) => [goalName(goal), { at_most: goal.atMost, ...this.#reached(goal) }]);
    const content = {
      started_at: this.#startedAt.toISOString(),
      machine: { ...machine(), load_at_start: this.#loadAtStart },
      plan: this.#plan,
      skipped: this.#skipped,
      results,
      goals: Object.fromEntries(goals),
    };
    await mkdir(dirname(resultsFile), { recursive: true });
    await writeFile(resultsFile, `${JSON.stringify(content, null, 2)}\n`);
    return resultsFile;
  }

  #title(measurement) {
    const { concurrency, slow } = this.#plan;
    return {
      json: `Whole answers, ${concurrency} at a time`,
      stream: `Streams of 100 tokens, ${concurrency} at a time, as fast as they come`,
      latency: 'Whole answers one after another, in turn with direct calls to the provider',
      slow: `${slow.streams} streams at once on a fresh process, a token each 100 ms`,
    }[measurement];
  }

  #row(measurement, [key, text, hasRatio], columns, compared) {
    const cells = columns.map((column) => shown(this.#spread(measurement, key, column.key)));
    const ratios = compared.map((other) =>
      hasRatio ? (this.#ratio(measurement, key, other.key)?.median.toFixed(2) ?? '') : '',
    );
    return line(`  ${text}`, cells, ratios);
  }

  /** Shows whether the provider and the client had CPU time to spare while the target was measured. */
  #busyRow(measurement, columns) {
    const cells = columns.map(({ key }) => {
      const shares = BUSY[measurement].map((who) => this.#spread(measurement, who, key));
      return shares.includes(undefined) ? '' : shares.map((share) => share.median.toFixed(2)).join(' / ');
    });
    return line('  cores of it / provider / client', cells, []);
  }

  #spread(measurement, key, target) {
    const rounds = this.#rounds[measurement]?.[target];
    return rounds && spread(rounds.map((figures) => figures[key]));
  }

  /** Compares the subject's figure with that of another target, round by round. @returns {Spread | undefined} */
  #ratio(measurement, key, other, { compare = (ours, theirs) => ours / theirs, subject = SUBJECT } = {}) {
    const { [subject]: ours, [other]: theirs } = this.#rounds[measurement] ?? {};
    if (ours === undefined || theirs === undefined) return undefined;
    const both = Math.min(ours.length, theirs.length);
    return spread(ours.slice(0, both).map((figures, round) => compare(figures[key], theirs[round][key])));
  }

  #reached({ subject, of: [measurement, key], to, compare, atMost }) {
    const reached =
      to === undefined
        ? this.#spread(measurement, key, SUBJECT)
        : this.#ratio(measurement, key, to, { compare, subject });
    if (reached === undefined) return { verdict: 'not measured' };
    return { verdict: reached.median <= atMost ? 'met' : 'missed', ...reached };
  }

  #verdict(goal) {
    const { verdict, ...reached } = this.#reached(goal);
    const unit = goal.unit ?? '×';
    const figure = verdict === 'not measured' ? '' : `${shown(reached)} ${unit}`;
    const limit = `at most ${goal.atMost} ${unit}`;
    return `  ${verdict.padEnd(14)}${goalName(goal).padEnd(46)}${limit.padEnd(18)}${figure}`.trimEnd();
  }
}

const goalName = ({ text, subject, to, compare }) => {
  if (to === undefined) return text;
  const name = subject === undefined ? text : `${text}, ${subject}`;
  return compare === undefined ? `${name} / ${to}` : name;
};

function machine() {
  return { cores: availableParallelism(), processor: cpus()[0]?.model ?? 'unknown', node: process.version };
}

/** Formats a figure with three significant digits. @param {Spread | undefined} figure */
function shown(figure) {
  if (figure === undefined) return '';
  const { median, min, max } = figure;
  const size = Math.abs(max);
  const digits = size >= 100 ? 0 : size >= 10 ? 1 : size >= 1 ? 2 : 3;
  const text = (value) => value.toFixed(digits);
  return min !== max ? `${text(median)} (${text(min)}–${text(max)})` : text(median);
}

function line(label, cells, ratios) {
  const columns = [
    ...cells.map((cell) => cell.padStart(WIDTH.cell)),
    ...ratios.map((ratio) => ratio.padStart(WIDTH.ratio)),
  ];
  return `${label.padEnd(WIDTH.label)}${columns.join('')}`.trimEnd();
}
