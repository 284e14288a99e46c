/*
 * node bench/ingestion.mjs [--documents 60] [--paragraphs 150] [--queries 100]
 *
 * Measures whole ingestion on the built server with the embedded database, from the first upload until all documents are
 * ready: `--documents` texts of `--paragraphs` paragraphs of 100 words, each a chunk or more, with a provider of embeddings
 * that answers at once. Then asks `--queries` questions, and measures the time from the sources to the first token of the
 * answer of a model that answers at once.
 */
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { printFigure, printHeading } from './batches/report.mjs';
import { registerAccount, startParley } from './parley.mjs';
import { Fleet, runMeasurement } from './processes.mjs';
import { quantile } from './statistics.mjs';
import { Folders } from './targets/index.mjs';

const GOALS = { chunksASecond: 300, firstTokenMs: 50 };
const COLLECTION = '/api/v1/rag/collections/bench';
const WORDS = 100;
const VOCABULARY = 50_000;

/** Documents that are ingested before, so that code is compiled and connections are open. */
const WARM_UP = 5;

const fleet = new Fleet();
const folders = new Folders();

/** A word; the frequent ones are about as frequent as in a text. */
const makeWord = () => `w${Math.floor(VOCABULARY ** Math.random()).toString(36)}`;
const makeParagraph = () => `${Array.from({ length: WORDS }, makeWord).join(' ')}.`;

async function start() {
  const provider = await fleet.start({
    name: 'The provider',
    arguments: [join(import.meta.dirname, 'provider.mjs')],
  });
  return startParley(fleet, {
    settings: {
      DATA_DIR: await folders.make(),
      OPENAI_API_KEY: 'bench',
      OPENAI_BASE_URL: `${provider.url}/v1`,
      DEFAULT_MODEL: 'openai/bench',
    },
  });
}

/** Sends a request, and returns its response. @throws Error if it is refused */
async function send(url, token, path, { json, ...options } = {}) {
  const response = await fetch(`${url}${path}`, {
    ...options,
    headers: {
      authorization: `Bearer ${token}`,
      ...(json !== undefined && { 'content-type': 'application/json' }),
    },
    ...(json !== undefined && { method: 'POST', body: JSON.stringify(json) }),
  });
  if (!response.ok) throw new Error(`${path} answered ${response.status}: ${await response.text()}`);
  return response;
}

/** Uploads documents, waits until all are ready, and returns the number of their chunks. */
async function ingest(url, token, { documents, paragraphs }) {
  const ids = [];
  for (let count = 0; count < documents; count += 1) {
    const text = Array.from({ length: paragraphs }, makeParagraph).join('\n\n');
    const form = new FormData();
    form.append('file', new Blob([text], { type: 'text/plain' }), 'text.txt');
    const response = await send(url, token, `${COLLECTION}/documents`, { method: 'POST', body: form });
    ids.push((await response.json()).id);
  }
  let chunks = 0;
  for (const id of ids) {
    for (;;) {
      const document = await (await send(url, token, `${COLLECTION}/documents/${id}`)).json();
      if (document.status === 'failed') throw new Error(JSON.stringify(document.error));
      if (document.status === 'ready') {
        chunks += document.chunks;
        break;
      }
      await delay(50);
    }
  }
  return chunks;
}

/** Asks a question, and returns the time from its sources to the first token, in milliseconds. */
async function ask(url, token) {
  const question = `Which text says ${makeWord()} and ${makeWord()}?`;
  const response = await send(url, token, '/api/v1/rag/query', { json: { question, collection: 'bench' } });
  const decoder = new TextDecoder();
  let text = '';
  let foundAt;
  let firstAt;
  for await (const bytes of response.body) {
    text += decoder.decode(bytes, { stream: true });
    if (foundAt === undefined && text.includes('"sources"')) foundAt = performance.now();
    if (firstAt === undefined && /"delta":"[^"]/.test(text)) firstAt = performance.now();
  }
  if (foundAt === undefined || firstAt === undefined) throw new Error(`No answer: ${text.slice(0, 500)}`);
  return firstAt - foundAt;
}

async function run() {
  const option = (value) => ({ type: 'string', default: String(value) });
  const { values } = parseArgs({
    options: { documents: option(60), paragraphs: option(150), queries: option(100) },
  });
  const [documents, paragraphs, queries] = [values.documents, values.paragraphs, values.queries].map(Number);
  const { url } = await start();
  const token = await registerAccount(url);
  await send(url, token, '/api/v1/rag/collections', {
    json: { name: 'bench', embedding_model: 'openai/bench', chunk_tokens: 200, chunk_overlap: 0 },
  });
  await ingest(url, token, { documents: WARM_UP, paragraphs });
  printHeading(`Ingestion of ${documents} texts of ${paragraphs} paragraphs of ${WORDS} words`);
  const startedAt = performance.now();
  const chunks = await ingest(url, token, { documents, paragraphs });
  const seconds = (performance.now() - startedAt) / 1000;
  printFigure('chunks', {
    value: chunks / seconds,
    unit: 'chunks/s',
    atLeast: GOALS.chunksASecond,
    detail: `${chunks} in ${seconds.toFixed(1)} s`,
  });
  const times = [];
  for (let count = 0; count < queries; count += 1) times.push(await ask(url, token));
  printFigure('first token after the sources, p50', {
    value: quantile(times, 0.5),
    unit: 'ms',
    atMost: GOALS.firstTokenMs,
    detail: `p95 ${quantile(times, 0.95).toFixed(1)} ms of ${queries}`,
  });
}

await runMeasurement(fleet, run, () => folders.remove());
