/*
 * DATABASE_URL=… node bench/conversations.mjs [--quick] [--dist DIR]
 *
 * Measures the cost of depth. Starts the built server with a database of its own on that PostgreSQL and writes
 * 100,000 conversations of one account with SQL, one of them with 10,000 messages and one with 200. Alternates
 * between the requests that it compares: the first page of the list and deep ones, the first page of messages and
 * deep ones, and turns in the long conversation and in the short one, whose contexts are equal. A page is timed from
 * sending the request to the last byte of the response, a turn from sending the request until the provider receives
 * its call, on one machine. A figure that misses its goal is not a failure.
 */
import { randomBytes, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import pg from 'pg';
import { DIST, registerAccount, startParley } from './parley.mjs';
import { Fleet } from './processes.mjs';
import { quantile } from './statistics.mjs';
import { Folders } from './targets/index.mjs';

const CONVERSATIONS = 100_000;
const LONG = 10_000;
const SHORT = 200;
const LIMIT = 20;
const GOALS = { pages: 1.5, turns: 1.2 };

/** Returns the id of the conversation, or message, with this number; a higher number is newer. */
const idOf = (kind, number) => `01900000-000${kind}-7000-8000-${number.toString(16).padStart(12, '0')}`;
const conversation = (number) => idOf(0, number);
/** The message ids of each conversation have a kind of their own. */
const long = { id: conversation(1), kind: 1, messages: LONG };
const short = { id: conversation(2), kind: 2, messages: SHORT };

const fleet = new Fleet();
const folders = new Folders();

/** Answers every question with one word, and records when it was called. */
class Provider {
  #server = createServer((request, response) => {
    this.askedAt = performance.now();
    request.resume().once('end', () => {
      const choice = { index: 0, delta: { content: 'Yes.' }, finish_reason: 'stop' };
      const chunk = { id: 'bench', object: 'chat.completion.chunk', created: 0, model: 'bench' };
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.end(
        `data: ${JSON.stringify({ ...chunk, choices: [choice] })}\n\n` +
          `data: ${JSON.stringify({ ...chunk, choices: [], usage: { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2 } })}\n\n` +
          'data: [DONE]\n\n',
      );
    });
  });
  askedAt = 0;

  async listen() {
    this.#server.keepAliveTimeout = 120_000;
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    return `http://127.0.0.1:${this.#server.address().port}/v1`;
  }

  close() {
    this.#server.closeAllConnections();
    this.#server.close();
  }
}

/** A temporary database for the run. */
class Database {
  #server;
  #name = `parley_bench_${randomBytes(6).toString('hex')}`;
  url;

  constructor(serverUrl) {
    if (serverUrl === undefined)
      throw new Error('Set DATABASE_URL to a PostgreSQL that lets you make databases.');
    this.#server = serverUrl;
    const url = new URL(serverUrl);
    url.pathname = `/${this.#name}`;
    this.url = url.href;
  }

  create() {
    return query(this.#server, `CREATE DATABASE ${this.#name} TEMPLATE template0 ENCODING 'UTF8'`);
  }

  drop() {
    return query(this.#server, `DROP DATABASE IF EXISTS ${this.#name} WITH (FORCE)`);
  }

  /** Writes the conversations of the account, as turns would have left them. */
  async seed(email) {
    await query(
      this.url,
      `INSERT INTO conversations (id, user_id, title)
       SELECT ('01900000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, users.id, 'Conversation ' || n
       FROM users, generate_series(1, ${CONVERSATIONS}) AS n WHERE email = $1`,
      [email],
    );
    for (const { id, kind, messages } of [long, short]) {
      const messageId = (number) =>
        `('01900000-000${kind}-7000-8000-' || lpad(to_hex(${number}), 12, '0'))::uuid`;
      await query(
        this.url,
        `INSERT INTO messages (id, conversation_id, user_id, parent_id, position, role, status, content, token_count, completed_at)
         SELECT ${messageId('n')}, conversations.id, user_id, CASE WHEN n > 0 THEN ${messageId('n - 1')} END, n,
           (ARRAY['user', 'assistant'])[1 + n % 2]::message_role, 'complete', repeat('word ', 40), 40, now()
         FROM conversations, generate_series(0, ${messages - 1}) AS n WHERE conversations.id = $1`,
        [id],
      );
      await query(
        this.url,
        'UPDATE conversations SET next_position = $2, leaf_message_id = $3 WHERE id = $1',
        [id, messages, idOf(kind, messages - 1)],
      );
    }
    await query(this.url, 'VACUUM ANALYZE');
  }
}

async function query(url, sql, values = []) {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return await client.query(sql, values);
  } finally {
    await client.end();
  }
}

/** Returns the groups of requests to compare: the first of each group with the others. */
function groupsOf({ page, turn }) {
  const list = (number) => page(`/api/v1/conversations?limit=${LIMIT}&after=${conversation(number)}`);
  const messages = (number) =>
    page(`/api/v1/conversations/${long.id}/messages?limit=${LIMIT}&after=${idOf(1, number)}`);
  return [
    {
      title: `the list of ${CONVERSATIONS} conversations`,
      goal: GOALS.pages,
      steps: {
        'page 1': page(`/api/v1/conversations?limit=${LIMIT}`),
        'behind 50,000': list(CONVERSATIONS - 50_000),
        'behind 99,900': list(CONVERSATIONS - 99_900),
      },
    },
    {
      title: `the messages of a conversation of ${LONG}`,
      goal: GOALS.pages,
      steps: {
        'page 1': page(`/api/v1/conversations/${long.id}/messages?limit=${LIMIT}`),
        'behind 5,000': messages(4_999),
        'behind 9,900': messages(9_899),
      },
    },
    {
      title: 'until the provider is asked, in a turn',
      goal: GOALS.turns,
      steps: { [`of ${SHORT} messages`]: turn(short.id), [`of ${LONG} messages`]: turn(long.id) },
    },
  ];
}

/** Returns functions that send requests; each resolves to its duration in milliseconds. */
function asking(url, token, provider) {
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
  const read = async (path, options) => {
    const response = await fetch(url + path, { headers, ...options });
    const text = await response.text();
    if (!response.ok) throw new Error(`${path} answered ${response.status}: ${text}`);
  };
  return {
    page: (path) => async () => {
      const sentAt = performance.now();
      await read(path);
      return performance.now() - sentAt;
    },
    turn: (id) => async () => {
      const sentAt = performance.now();
      await read('/api/v1/chat', {
        method: 'POST',
        body: JSON.stringify({ message: 'And what now?', conversation_id: id }),
      });
      return provider.askedAt - sentAt;
    },
  };
}

/** Alternates between the steps, round by round, so that other load on the machine affects all of them equally. */
async function measure({ title, goal, steps }, rounds) {
  const times = Object.fromEntries(Object.keys(steps).map((name) => [name, []]));
  const warmUp = Math.ceil(rounds / 5);
  for (let round = -warmUp; round < rounds; round += 1) {
    for (const [name, step] of Object.entries(steps)) {
      const ms = await step();
      if (round >= 0) times[name].push(ms);
    }
  }
  const [first, ...others] = Object.entries(times).map(([name, all]) => ({ name, p50: quantile(all, 0.5) }));
  console.log(`${title}: ${first.name} ${first.p50.toFixed(2)} ms (p50 of ${rounds})`);
  for (const { name, p50 } of others) {
    const ratio = p50 / first.p50;
    const verdict = ratio <= goal ? 'met' : 'missed';
    console.log(`  ${name} ${p50.toFixed(2)} ms: ${ratio.toFixed(2)} times (goal ${goal}: ${verdict})`);
  }
}

async function run() {
  const { values } = parseArgs({ options: { quick: { type: 'boolean' }, dist: { type: 'string' } } });
  const dist = resolve(values.dist ?? DIST);
  const database = new Database(process.env.DATABASE_URL);
  const provider = new Provider();
  try {
    await database.create();
    const server = await startParley(fleet, {
      dist,
      settings: {
        DATABASE_URL: database.url,
        DATA_DIR: await folders.make(),
        OPENAI_API_KEY: 'bench',
        OPENAI_BASE_URL: await provider.listen(),
        DEFAULT_MODEL: 'openai/bench',
      },
    });
    const email = `bench-${randomUUID()}@example.com`;
    const token = await registerAccount(server.url, email);
    console.error('Writing the conversations …');
    await database.seed(email);
    for (const group of groupsOf(asking(server.url, token, provider)))
      await measure(group, values.quick ? 40 : 200);
  } finally {
    await fleet.close();
    provider.close();
    await database.drop();
    await folders.remove();
  }
}

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.once(signal, () => void fleet.close());

await run().catch((error) => {
  console.error(error.message);
  process.exitCode = 1;
});
