import type { MetricValues, ProcessMetrics } from '../infra/metrics/index.js';

/*
 * Messages between the first of several API processes and those that serve requests. Both ends are this program, so a
 * message is checked only as far as it decides what is done with it.
 */

/** A process asks for the metrics of the others. */
export interface MetricsRequest {
  readonly type: 'metrics_request';
  readonly id: number;
}

/** The first process asks a process for its metrics. */
export interface MetricsQuery {
  readonly type: 'metrics_query';
  readonly id: number;
}

/** Reply to a {@link MetricsQuery}. */
export interface MetricsReply {
  readonly type: 'metrics_reply';
  readonly id: number;
  readonly values: MetricValues;
}

/** Reply to a {@link MetricsRequest}. */
export interface MetricsOfOthers {
  readonly type: 'metrics_of_others';
  readonly id: number;
  /** Number of the process that asked. */
  readonly process: number;
  readonly others: readonly ProcessMetrics[];
}

/** `force_stop` follows `stop`, to shorten the shutdown. */
export interface StopMessage {
  readonly type: 'stop' | 'force_stop';
}

export type ProcessMessage = StopMessage | MetricsRequest | MetricsQuery | MetricsReply | MetricsOfOthers;

const TYPES: ReadonlySet<unknown> = new Set<ProcessMessage['type']>([
  'stop',
  'force_stop',
  'metrics_request',
  'metrics_query',
  'metrics_reply',
  'metrics_of_others',
]);

/** Returns true if a message is one of ours; Node and its libraries use the same channel. */
export function isProcessMessage(message: unknown): message is ProcessMessage {
  return typeof message === 'object' && message !== null && 'type' in message && TYPES.has(message.type);
}

/** Sends a message to the first process. One that has ended cannot receive it; Node then ends this process as well. */
export function sendToFirstProcess(message: ProcessMessage): void {
  process.send?.(message, () => undefined);
}
