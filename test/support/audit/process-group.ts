import { setTimeout as delay } from 'node:timers/promises';
import { type ApiResponse, at, type TestUser, userWith } from '../client.js';
import { UNLIMITED } from '../limits.js';
import { type ServerProcess, startServer } from '../server-process.js';
import type { Journal } from './journal.js';
import type { Random } from './random.js';

/** The time at which a process was killed, in milliseconds of this process. */
export interface Kill {
  readonly process: number;
  readonly at: number;
}

/** The processes of a run. */
export interface ProcessOptions {
  readonly processes: number;
  /** With a Redis URL the processes share that Redis; without it there is one process. */
  readonly redisUrl?: string | undefined;
}

/** A process of the built server: the API, or a worker. */
export interface MemberSettings {
  readonly environment: Readonly<Record<string, string>>;
  readonly script?: 'main.js' | 'worker.js';
}

/** A process of the run, which is undefined from its end until it runs again. */
interface Member extends MemberSettings {
  process: ServerProcess | undefined;
  /** Empty for a worker. */
  url: string;
}

/** Settings of all processes of an audit. */
export const AUDIT_SETTINGS = {
  ...UNLIMITED,
  HOST: '127.0.0.1',
  JWT_SECRET: 'one secret for all processes of the audit',
  LOG_LEVEL: 'warn',
} as const;

/** Outcome of a request: a response; `lost` if only the server knows it; `unsent` if no server received it. */
export type Outcome = ApiResponse | 'lost' | 'unsent';

/** Delay after a request to a dead process, in milliseconds. */
const UNSENT_MS = 100;

/** Maximum starts of a process whose database disconnects during the start, as by a process manager. */
const STARTS = 5;

/** Interval of checks for running processes, in milliseconds. */
const LOOK_MS = 50;

/** The line that a worker prints when it is ready, with Redis or without. */
const WORKER_IS_READY = /worker: (running jobs|waiting for Redis)/;

/** Processes of the built server that are killed at random and restarted. */
export class ProcessGroup {
  readonly kills: Kill[] = [];
  readonly #members: readonly Member[];
  #closing = false;

  /** @param afterKill runs after a kill, before the process is restarted */
  constructor(
    private readonly journal: Journal,
    members: readonly MemberSettings[],
    private readonly afterKill: () => Promise<void> = () => Promise.resolve(),
  ) {
    this.#members = members.map((member) => ({ ...member, process: undefined, url: '' }));
  }

  get size(): number {
    return this.#members.length;
  }

  async start(): Promise<void> {
    await Promise.all(this.#members.map((member) => this.#start(member)));
  }

  /** Returns the URL of an API process, possibly of one that has just died. */
  url(random: Random): string {
    return random.pick(this.#members.filter(({ script }) => script !== 'worker.js')).url;
  }

  /** Sends a request to a random process. */
  async send(
    random: Random,
    token: string,
    work: (user: TestUser, url: string) => Promise<ApiResponse>,
  ): Promise<Outcome> {
    const url = this.url(random);
    try {
      const response = await work(userWith(url, token), url);
      if (response.status !== 503) return response;
      this.journal.count(`answers 503 ${String(at(response.body, 'error', 'code'))}`);
      return 'lost';
    } catch (error) {
      if (at(error, 'cause', 'code') !== 'ECONNREFUSED') {
        this.journal.count('lost answers');
        return 'lost';
      }
      // Another process may run; otherwise the storm must not be spent with this.
      await delay(UNSENT_MS);
      return 'unsent';
    }
  }

  /** Waits until processes have run for a time, without the time in which all of them were about to restart. */
  async runFor(milliseconds: number): Promise<void> {
    for (let ran = 0; ran < milliseconds;) {
      const began = performance.now();
      await delay(LOOK_MS);
      if (this.#members.some(({ process }) => process !== undefined)) ran += performance.now() - began;
    }
  }

  isRunning(index: number): boolean {
    return this.#members[index]?.process !== undefined;
  }

  /**
   * Kills processes at random times and restarts them until the signal aborts; all of them run when it
   * resolves.
   * @param leastMs minimum time between a restart and the next kill, in milliseconds
   */
  async killAtRandom(random: Random, signal: AbortSignal, leastMs = 300): Promise<void> {
    for (;;) {
      // Soon, while others are about to restart, or when answers have become long.
      const pauseMs = random.chance(0.5) ? random.whole(leastMs, 1500) : random.whole(2000, 4500);
      await waitUnlessAborted(pauseMs, signal);
      if (signal.aborted) return;
      await this.kill(random.whole(0, this.size - 1));
    }
  }

  /** Kills a process and restarts it. */
  async kill(index: number): Promise<void> {
    const member = this.#memberAt(index);
    this.kills.push({ process: index, at: performance.now() });
    this.journal.count('kills');
    const { process } = member;
    member.process = undefined;
    await process?.end('SIGKILL');
    await this.afterKill();
    await this.#start(member);
  }

  /** Lets a process stop as an operator does, and restarts it. */
  async restart(index: number): Promise<void> {
    const member = this.#memberAt(index);
    this.journal.count('restarts');
    const { process } = member;
    member.process = undefined;
    const how = await process?.end('SIGTERM');
    if (how !== 0)
      this.journal.violate('a process', `stopped with ${String(how)}:\n${String(process?.output)}`);
    await this.#start(member);
  }

  /** Suspends a process while work runs, as a machine does that hangs. */
  async suspend(index: number, work: () => Promise<void>): Promise<void> {
    const child = this.#memberAt(index).process?.child;
    this.journal.count('suspensions');
    child?.kill('SIGSTOP');
    try {
      await work();
    } finally {
      child?.kill('SIGCONT');
    }
  }

  #memberAt(index: number): Member {
    const member = this.#members[index];
    if (member === undefined) throw new Error(`There is no process ${index}.`);
    return member;
  }

  async close(): Promise<void> {
    this.#closing = true;
    await Promise.all(this.#members.map(async ({ process }) => process?.end('SIGTERM')));
  }

  /** @throws Error if the process repeatedly fails to start */
  async #start(member: Member): Promise<void> {
    for (let starts = 1; ; starts += 1) {
      const process = startServer(member.environment, member.script);
      try {
        if (member.script === 'worker.js') await process.printed(WORKER_IS_READY);
        else member.url = await process.ready;
        member.process = process;
        this.#watch(member, process);
        return;
      } catch (error) {
        if (starts === STARTS) throw error;
        this.journal.count('starts in vain');
      }
    }
  }

  /** Reports a process that exits by itself: it may only be killed. */
  #watch(member: Member, process: ServerProcess): void {
    void process.exited.then((how) => {
      if (member.process !== process || this.#closing) return;
      this.journal.violate('a process', `ended by itself (${how}):\n${process.output}`);
    });
  }
}

/** Waits for a time, or until the signal aborts. */
export async function waitUnlessAborted(milliseconds: number, signal: AbortSignal): Promise<void> {
  await delay(milliseconds, undefined, { signal }).catch(() => undefined);
}
