import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { registerAccount, startParley } from '../parley.mjs';

/**
 * A running target and the calls to send to it.
 * @typedef {object} Target
 * @property {string} key
 * @property {string} title title of its column
 * @property {string[]} [measurements] the measurements that it takes part in
 * @property {boolean} [coalesces] true if it sends events that arrive at once together
 * @property {Awaited<ReturnType<import('../processes.mjs').Fleet['start']>>} server
 * @property {import('../load.mjs').Call} json a complete response
 * @property {(tokens: number, model?: string) => import('../load.mjs').Call} stream
 */

const JSON_TYPE = { 'content-type': 'application/json' };
const QUESTION = 'Why is the sky blue? Answer in one sentence, please.';

/** Limits far above what the run needs: they are checked, but never reached. */
const LIMITS = {
  RATE_LIMIT_CONCURRENCY: '5000',
  LLM_MAX_CONCURRENCY: '5000',
  LLM_MAX_QUEUE: '5000',
};

/** Returns calls in OpenAI's API format. */
function openAiCalls(headers = {}) {
  const call = (body) => ({
    path: '/v1/chat/completions',
    headers: { ...JSON_TYPE, ...headers },
    body: JSON.stringify({ model: 'bench', messages: [{ role: 'user', content: QUESTION }], ...body }),
  });
  return {
    json: call({}),
    stream: (tokens, model = 'bench') => call({ model, stream: true, max_tokens: tokens }),
  };
}

/** Returns calls of the product's own chat, which stores every turn. */
function turnCalls(headers) {
  const call = (path, body) => ({
    path,
    headers: { ...JSON_TYPE, ...headers },
    body: JSON.stringify({ message: QUESTION, model: 'bench', ...body }),
  });
  return {
    json: call('/api/v1/chat', {}),
    stream: (tokens, model = 'bench') => call('/api/v1/chat/stream', { model, max_tokens: tokens }),
  };
}

/** Starts a small program of this folder. */
const program =
  (name, file) =>
  async (fleet, { baseUrl }) => {
    const server = await fleet.start({
      name,
      arguments: [join(import.meta.dirname, file)],
      environment: { OPENAI_BASE_URL: baseUrl },
    });
    return { server, ...openAiCalls() };
  };

/** Disables authentication and limits of the server. */
const WITHOUT_ACCOUNTS = ['--import', pathToFileURL(join(import.meta.dirname, 'without-accounts.mjs')).href];

/** Starts this project's server as `npm start` does, with a database of its own. */
const parley =
  (makeCalls, { nodeOptions = [], settings = {} } = {}) =>
  async (fleet, { baseUrl, dist, makeFolder }) => {
    const server = await startParley(fleet, {
      dist,
      nodeOptions,
      settings: {
        ...LIMITS,
        DIST: dist,
        DATA_DIR: await makeFolder(),
        OPENAI_API_KEY: 'bench',
        OPENAI_BASE_URL: baseUrl,
        ...settings,
      },
    });
    return { server, ...makeCalls({ authorization: `Bearer ${await registerAccount(server.url)}` }) };
  };

/** Starts the same server with the Redis of the environment. */
const parleyOnRedis =
  (makeCalls) =>
  (...of) => {
    const { REDIS_URL } = process.env;
    if (REDIS_URL === undefined) throw new Error('it needs REDIS_URL');
    return parley(makeCalls, { settings: { REDIS_URL } })(...of);
  };

/**
 * The targets: the name that `--only` takes, the title of its column, how it is started, and its measurements if it
 * does not take part in all.
 */
export const TARGETS = [
  { key: 'proxy', title: 'raw proxy', start: program('The proxy', 'proxy.mjs') },
  { key: 'nest', title: 'plain Nest', start: program('Plain Nest', 'plain-nest.mjs') },
  { key: 'gateway', title: 'gateway', start: parley(openAiCalls) },
  {
    key: 'open',
    title: 'no accounts',
    start: parley(openAiCalls, { nodeOptions: WITHOUT_ACCOUNTS }),
    measurements: ['json'],
  },
  { key: 'turn', title: 'stored turn', coalesces: true, start: parley(turnCalls), optional: true },
  {
    key: 'gateway-redis',
    title: 'gateway with Redis',
    start: parleyOnRedis(openAiCalls),
    measurements: ['stream'],
    optional: true,
  },
  {
    key: 'turn-redis',
    title: 'turn with Redis',
    coalesces: true,
    start: parleyOnRedis(turnCalls),
    optional: true,
  },
];

/** Wraps the provider itself as a target, for comparison. */
export const directTarget = (server) => ({
  key: 'direct',
  title: 'no one between',
  server,
  ...openAiCalls(),
});

/** Temporary folders that are removed when the run ends. */
export class Folders {
  #made = [];

  make = async () => {
    const path = await mkdtemp(join(tmpdir(), 'parley-bench-'));
    this.#made.push(path);
    // As root, the embedded database runs as another user, which must be able to pass through.
    await chmod(path, 0o755);
    return path;
  };

  async remove() {
    for (const path of this.#made) await rm(path, { recursive: true, force: true, maxRetries: 3 });
  }
}
