/*
 * node bench/extraction.mjs [--pages 300] [--files 20]
 *
 * Measures text extraction of the built server over a socket, with a database of its own: a PDF of `--pages` pages
 * from the start of its upload to its text, files a minute, the memory of the server and its extraction processes
 * while a PDF of 1,000 pages is parsed, and the latency of API requests while `--files` files are parsed against that
 * of the same run without them. Linux only, because the memory of the processes comes from /proc.
 */
import { randomUUID } from 'node:crypto';
import { loadavg } from 'node:os';
import { buffer } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import PDFDocument from 'pdfkit';
import { parentOf, processIds, readProc, residentMb } from './linux-processes.mjs';
import { registerAccount, startParley } from './parley.mjs';
import { Fleet, runMeasurement } from './processes.mjs';
import { quantile } from './statistics.mjs';
import { Folders } from './targets/index.mjs';

const WORDS = 'Short waves scatter more than long ones, so the sky is blue at noon and red in the evening. ';

/** Requests of each kind in a phase without extraction, and the pause between two, in milliseconds. */
const REQUESTS = 300;
const PAUSE_MS = 10;

/** Interval between two looks at the text of a file or at the memory, in milliseconds. */
const LOOK_MS = 20;

/** The same while the latency of other requests is measured, so that the looks are no load of their own. */
const SELDOM_MS = 1_000;

/** Time after which unused extraction processes have ended, in milliseconds. */
const IDLE_MS = 12_000;

const fleet = new Fleet();
const folders = new Folders();
const round = (number) => Math.round(number * 10) / 10;

/** Returns a PDF; each has different bytes, because equal files of an account share their text. */
function makePdf(pages) {
  const document = new PDFDocument({ autoFirstPage: false });
  const bytes = buffer(document);
  const name = randomUUID();
  for (let page = 1; page <= pages; page += 1)
    document.addPage().text(`Page ${page} of ${name}. ${WORDS.repeat(30)}`);
  document.end();
  return bytes;
}

/** Returns the resident memory of the server and its extraction processes, in megabytes. */
function memory({ pid: server }) {
  const children = processIds().filter(
    (pid) => parentOf(pid) === server && readProc(`${pid}/cmdline`).includes('extraction-child.js'),
  );
  // A process may end between two looks.
  return [server, ...children].reduce((sum, pid) => sum + (residentMb(pid) || 0), 0);
}

class Client {
  constructor(url, token) {
    this.url = url;
    this.headers = { authorization: `Bearer ${token}` };
  }

  async request(path, { headers = {}, ...options } = {}) {
    const response = await fetch(this.url + path, { headers: { ...this.headers, ...headers }, ...options });
    const body = await response.json();
    if (!response.ok) throw new Error(`${path} answered ${response.status}: ${JSON.stringify(body)}`);
    return body;
  }

  /** Uploads a PDF and resolves when its text is ready, to the time that this took in milliseconds. */
  async upload(bytes, lookMs = LOOK_MS) {
    const form = new FormData();
    form.append('file', new Blob([bytes], { type: 'application/pdf' }), 'bench.pdf');
    const start = performance.now();
    const { id } = await this.request('/api/v1/files', { method: 'POST', body: form });
    for (;;) {
      const { text_status: status, text_error: error } = await this.request(`/api/v1/files/${id}`);
      if (status === 'ready') return performance.now() - start;
      if (status === 'failed') throw new Error(`The text is missing: ${JSON.stringify(error)}`);
      await delay(lookMs);
    }
  }

  async time(path, options) {
    const start = performance.now();
    await this.request(path, options);
    return performance.now() - start;
  }
}

/** Sends requests of both kinds in turn until `isOver`, and returns their times. */
async function sample(client, isOver) {
  const times = { list: [], turn: [] };
  while (!isOver(times)) {
    times.list.push(await client.time('/api/v1/files'));
    await delay(PAUSE_MS);
    times.turn.push(
      await client.time('/api/v1/chat', {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ message: 'Hi', model: 'demo/echo' }),
      }),
    );
    await delay(PAUSE_MS);
  }
  return times;
}

async function start() {
  const server = await startParley(fleet, {
    settings: {
      DATA_DIR: await folders.make(),
      // The demo model answers at once, so that the time of a turn is that of the server.
      DEMO_TOKENS_PER_SECOND: '100000',
    },
  });
  return { server, client: new Client(server.url, await registerAccount(server.url)) };
}

async function run() {
  const { values } = parseArgs({
    options: { pages: { type: 'string', default: '300' }, files: { type: 'string', default: '20' } },
  });
  const pages = Number(values.pages);
  const files = Number(values.files);
  const pdfs = (count, length) => Promise.all(Array.from({ length: count }, () => makePdf(length)));
  const load = () => loadavg()[0].toFixed(1);
  const [first, second, large] = [await makePdf(pages), await makePdf(pages), await makePdf(1000)];
  const small = await pdfs(files, 10);
  const parallel = await pdfs(files, 100);
  const { server, client } = await start();
  const warmUp = await sample(client, ({ list }) => list.length >= 50);
  console.log(`load ${load()}; ${warmUp.list.length} requests of each kind to warm up`);

  const idleTimes = await sample(client, ({ list }) => list.length >= REQUESTS);
  const idle = memory(server);
  const cold = await client.upload(first);
  const warm = await client.upload(second);
  console.log(
    `${pages}-page PDF, upload to text: ${round(cold)} ms with the start of a process, ${round(warm)} ms after that; load ${load()}`,
  );

  const beginning = performance.now();
  await Promise.all(small.map((bytes) => client.upload(bytes)));
  console.log(
    `10-page PDFs: ${Math.round((files / (performance.now() - beginning)) * 60_000)} a minute; load ${load()}`,
  );

  await delay(IDLE_MS);
  const before = memory(server);
  let peak = before;
  const watch = setInterval(() => (peak = Math.max(peak, memory(server))), LOOK_MS);
  await client.upload(large);
  clearInterval(watch);
  await delay(IDLE_MS);
  console.log(
    `1,000-page PDF: ${round(peak - before)} MB above idle at most, ${round(memory(server) - before)} MB ${IDLE_MS / 1000} s later (idle ${round(before)} MB, before any document ${round(idle)} MB); load ${load()}`,
  );

  let left = files;
  const uploads = parallel.map((bytes) => client.upload(bytes, SELDOM_MS).finally(() => (left -= 1)));
  const busyTimes = await sample(client, () => left === 0);
  await Promise.all(uploads);
  for (const [kind, name] of [
    ['list', 'GET /api/v1/files'],
    ['turn', 'a stored turn of the demo model'],
  ]) {
    const show = (times) =>
      `p50 ${round(quantile(times[kind], 0.5))}, p99 ${round(quantile(times[kind], 0.99))} ms of ${times[kind].length}`;
    console.log(
      `${name}: idle ${show(idleTimes)}; while ${files} files of 100 pages are parsed ${show(busyTimes)}; load ${load()}`,
    );
  }
}

await runMeasurement(fleet, run, () => folders.remove());
