import type { Worker } from 'node:cluster';
import { withTimeout } from '../common/with-timeout.js';
import type { Metrics, MetricValues, ProcessMetrics } from '../infra/metrics/index.js';
import {
  isProcessMessage,
  type MetricsOfOthers,
  type ProcessMessage,
  sendToFirstProcess,
} from './process-messages.js';

/**
 * Maximum wait for the metrics of a process, in milliseconds: longer than its own collectors may take. A process that
 * hangs is left out of that scrape.
 */
const REPLY_MS = 2_000;

/** Maximum wait for the metrics of all other processes, in milliseconds: longer, so that one that hangs hides none. */
const ALL_REPLIES_MS = 3_000;

/** Requests that wait for a reply, by their ids. */
class PendingReplies<Reply> {
  private readonly waiting = new Map<number, (reply: Reply) => void>();
  private lastId = 0;

  /** Sends a request with an id and waits for its reply; returns undefined if there is none in time. */
  async request(send: (id: number) => void, timeoutMs: number): Promise<Reply | undefined> {
    this.lastId += 1;
    const id = this.lastId;
    const { promise, resolve } = Promise.withResolvers<Reply>();
    this.waiting.set(id, resolve);
    try {
      send(id);
      return await withTimeout(timeoutMs, () => promise);
    } catch {
      return undefined;
    } finally {
      this.waiting.delete(id);
    }
  }

  resolve(id: number, reply: Reply): void {
    this.waiting.get(id)?.(reply);
  }
}

/** In one of several API processes: exports the metrics of all of them, and sends its own to the others. */
export function exchangeMetrics(metrics: Metrics): void {
  const pending = new PendingReplies<MetricsOfOthers>();
  let ownNumber: number | undefined;
  metrics.includeProcesses(async (values) => {
    const reply = await pending.request((id) => {
      sendToFirstProcess({ type: 'metrics_request', id });
    }, ALL_REPLIES_MS);
    ownNumber = reply?.process ?? ownNumber;
    // Without its number, which only the first process knows, the series would count as those of another one.
    return ownNumber === undefined ? [] : [{ process: ownNumber, values }, ...(reply?.others ?? [])];
  });
  process.on('message', (message: unknown) => {
    if (!isProcessMessage(message)) return;
    if (message.type === 'metrics_of_others') pending.resolve(message.id, message);
    if (message.type === 'metrics_query') void reply(message.id);
  });
  const reply = async (id: number): Promise<void> => {
    sendToFirstProcess({ type: 'metrics_reply', id, values: await metrics.values().catch(() => []) });
  };
}

/** In the first process: passes metrics between the others, which have no channel to each other. */
export class MetricsExchange {
  private readonly pending = new PendingReplies<MetricValues>();

  /** @param processes those that serve requests, with their numbers; they change */
  constructor(private readonly processes: ReadonlyMap<Worker, number>) {}

  /** Handles a message of a process. */
  receive(from: Worker, message: ProcessMessage): void {
    if (message.type === 'metrics_reply') this.pending.resolve(message.id, message.values);
    if (message.type === 'metrics_request') void this.sendOthers(from, message.id);
  }

  private async sendOthers(to: Worker, id: number): Promise<void> {
    const number = this.processes.get(to);
    if (number === undefined) return;
    const replies = await Promise.all([...this.processes].filter(([other]) => other !== to).map(this.query));
    const others = replies.filter((reply) => reply !== undefined);
    sendToProcess(to, { type: 'metrics_of_others', id, process: number, others });
  }

  private readonly query = async ([process, number]: readonly [Worker, number]): Promise<
    ProcessMetrics | undefined
  > => {
    const values = await this.pending.request((id) => {
      sendToProcess(process, { type: 'metrics_query', id });
    }, REPLY_MS);
    return values && { process: number, values };
  };
}

/** Sends a message to an API process. One that has just ended cannot receive it, and need not. */
export function sendToProcess(to: Worker, message: ProcessMessage): void {
  if (to.isConnected()) to.send(message, () => undefined);
}
