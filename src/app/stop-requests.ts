import cluster from 'node:cluster';
import { isProcessMessage } from './process-messages.js';

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/**
 * Calls a listener with a reason each time that this process must stop: on a signal, or on a message of the first API process
 * if it is one of several. A terminal sends its signals to all of them, so the others ignore signals; otherwise the
 * message would count as a second request. If the first process is killed, Node ends the others.
 */
export function onStopRequest(listener: (reason: string) => void): void {
  for (const signal of SIGNALS) {
    process.on(signal, () => {
      if (cluster.isPrimary) listener(signal);
    });
  }
  if (cluster.isPrimary) return;
  process.on('message', (message: unknown) => {
    if (!isProcessMessage(message)) return;
    if (message.type === 'stop' || message.type === 'force_stop') listener(message.type);
  });
}
