// The thread of a process for text extraction that ends it while the main thread is inside a parser.
import { workerData } from 'node:worker_threads';
import { MEMORY_EXCEEDED_SIGNAL, WATCH_MS } from './extraction-protocol.js';

const data: unknown = workerData;
const [maxBytes, parentId] = Array.isArray(data) ? (data as readonly unknown[]) : [];
if (typeof maxBytes !== 'number' || typeof parentId !== 'number')
  throw new TypeError('The watchdog needs the maximum memory and the id of the parent.');

setInterval(() => {
  if (process.memoryUsage.rss() > maxBytes) process.kill(process.pid, MEMORY_EXCEEDED_SIGNAL);
  // The operating system gives an orphan another parent.
  if (process.ppid !== parentId) process.kill(process.pid, 'SIGKILL');
}, WATCH_MS);
