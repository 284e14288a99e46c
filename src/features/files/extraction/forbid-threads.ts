import { syncBuiltinESMExports } from 'node:module';
import workerThreads from 'node:worker_threads';

/**
 * Takes new threads from this process. No parser uses them, and a thread that is started with `execArgv: []` is outside
 * the permission model of Node.
 */
export function forbidThreads(): void {
  function refuse(): never {
    throw new Error('A process for text extraction starts no threads.');
  }
  Object.defineProperty(workerThreads, 'Worker', { value: refuse });
  // Also for modules that have imported it by its name.
  syncBuiltinESMExports();
}
