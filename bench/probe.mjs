/*
 * node --import ./bench/probe.mjs <program>
 *
 * Lets the process that started a program query its resource usage over the IPC channel. Without queries, the program
 * runs as it would without this.
 */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/**
 * @typedef {object} Sample
 * @property {number} id id of the query
 * @property {number} cpuMs CPU time since the start, of all threads, user and system
 * @property {number} rssBytes
 * @property {number} heapBytes used heap and the buffers outside it
 */

/** Collects garbage. Sets the flag only on demand, so that it is not set while the program starts. */
function collectGarbage() {
  setFlagsFromString('--expose-gc');
  const gc = runInNewContext('gc');
  // The second collection frees what finalizers released.
  gc();
  gc();
}

process.on('message', (question) => {
  if (question?.probe === undefined) return;
  if (question.collect) collectGarbage();
  const { user, system } = process.cpuUsage();
  const { rss, heapUsed, external } = process.memoryUsage();
  process.send?.({
    id: question.probe,
    cpuMs: (user + system) / 1000,
    rssBytes: rss,
    heapBytes: heapUsed + external,
  });
});

// The channel alone does not keep a program alive, and a program ends with the process that measures it.
process.channel?.unref();
process.once('disconnect', () => process.kill(process.pid, 'SIGTERM'));
