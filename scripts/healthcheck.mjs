/*
 * node scripts/healthcheck.mjs [api|worker]
 *
 * The HEALTHCHECK of the image, which has no curl: exits 0 if this container is ready, otherwise prints the reason and
 * exits 1. Asks /health/ready at PORT, which the API listens on; if nothing listens there, at WORKER_PORT, which a
 * worker process listens on. A name asks one of the two only, for processes that share a network.
 */
import { get } from 'node:http';

/** Less than the timeout in the Dockerfile, so that the reason is printed before the check is killed. */
const timeoutMs = 4_000;

/** The defaults of the settings. */
const { HOST = '127.0.0.1', PORT = '3000', WORKER_PORT = '3001' } = process.env;
const ports = { api: PORT, worker: WORKER_PORT };

/** Returns an address to connect to: a server that listens on all addresses has none of its own. */
function addressOf(host) {
  if (host === '0.0.0.0' || host === '') return '127.0.0.1';
  return host === '::' ? 'localhost' : host;
}

/** Resolves with the status of /health/ready. */
function readyStatus(port) {
  return new Promise((resolve, reject) => {
    const request = get({ host: addressOf(HOST), port, path: '/health/ready', agent: false }, (response) => {
      response.resume();
      resolve(response.statusCode);
    });
    request.once('error', reject);
    setTimeout(() => request.destroy(new Error(`no response within ${timeoutMs / 1000} s`)), timeoutMs);
  });
}

/** Resolves with undefined if the process of that kind is ready, otherwise with the reason why not. */
async function findProblem(kind) {
  const port = ports[kind];
  if (!/^[1-9]\d*$/.test(port)) return { reason: `the port of the ${kind} is "${port}"`, isAway: true };
  try {
    const status = await readyStatus(port);
    return status === 200 ? undefined : { reason: `the ${kind} responded with ${status}`, isAway: false };
  } catch (error) {
    return { reason: `the ${kind} at port ${port}: ${error.message}`, isAway: error.code === 'ECONNREFUSED' };
  }
}

const [kind] = process.argv.slice(2);
const kinds = kind === undefined ? Object.keys(ports) : [kind];
const reasons = [];
for (const candidate of kinds) {
  if (!Object.hasOwn(ports, candidate)) {
    reasons.push('Usage: node scripts/healthcheck.mjs [api|worker]');
    break;
  }
  const problem = await findProblem(candidate);
  if (problem === undefined) process.exit(0);
  reasons.push(problem.reason);
  if (!problem.isAway) break;
}
console.log(`Not ready: ${reasons.join('; ')}`);
process.exit(1);
