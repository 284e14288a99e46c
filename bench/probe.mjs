/*
 * node --import ./bench/probe.mjs <program>
 *
 * Lets the process that started a program ask it, over the IPC channel, what it has used so far. A program that nobody
 * asks runs as it would without.
 */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/**
 * @typedef {object} Sample
 * @property {number} id that of the question
 * @property {number} cpuMs CPU time since the start, of all threads, user and system
 * @property {number} rssBytes
 * @property {number} heapBytes used heap, and the buffers outside of it
 */

/** Frees what can be freed. Found only when it is asked for: the flag is not set while the program starts. */
function collectGarbage() {
  setFlagsFromString('--expose-gc');
  const gc = runInNewContext('gc');
  // The second one takes what finalizers let go.
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

// The channel alone does not keep a program alive, and a program does not outlive whoever measures it.
process.channel?.unref();
process.once('disconnect', () => process.kill(process.pid, 'SIGTERM'));
