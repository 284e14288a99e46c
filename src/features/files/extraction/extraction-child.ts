// The program of a process for text extraction: text-extractor.ts starts it, and gives it one document after another.
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import type { PageWarning, TextFormat } from './extracted-text.js';
import type { ParsedPage } from './parsed-page.js';
import { ExtractionError } from './extraction-error.js';
import {
  type ExtractionLimits,
  type ExtractionReply,
  parseExtractionRequest,
  parseLimits,
} from './extraction-protocol.js';
import { extractPages } from './extract-pages.js';
import { forbidNetwork } from './forbid-network.js';
import { forbidThreads } from './forbid-threads.js';
import { CharacterBudget, normalizeText } from './normalize-text.js';

/** Part of the memory limit that may still be in use after a document; above, the next one gets a new process. */
const REUSABLE_SHARE = 0.25;

const [limitsArgument = '', parentArgument = ''] = process.argv.slice(2);
const limits = parseLimits(limitsArgument);
const memoryAtStart = process.memoryUsage.rss();
let received: Uint8Array[] = [];

/** Resolves when the message is on its way, so that pages never pile up here. */
function reply(message: ExtractionReply): Promise<void> {
  return new Promise((resolve, reject) => {
    process.send?.(message, undefined, {}, (error) => {
      if (error === null) resolve();
      else reject(error);
    });
  });
}

function isReusable(): boolean {
  return process.memoryUsage.rss() - memoryAtStart < limits.memoryBytes * REUSABLE_SHARE;
}

async function sendPages(
  pages: AsyncIterable<ParsedPage>,
  { maxPages, maxCharacters }: ExtractionLimits,
): Promise<ExtractionReply> {
  const budget = new CharacterBudget(maxCharacters);
  const pagesByWarning = new Map<PageWarning, number[]>();
  let page = 0;
  let hasText = false;
  for await (const { text, warning } of pages) {
    page += 1;
    if (page > maxPages) throw new ExtractionError('too_many_pages');
    const normalized = normalizeText(text);
    budget.spend(normalized.length);
    hasText ||= /\S/.test(normalized);
    if (warning !== undefined) {
      const known = pagesByWarning.get(warning);
      if (known === undefined) pagesByWarning.set(warning, [page]);
      else known.push(page);
    }
    await reply({ type: 'page', text: normalized });
  }
  if (!hasText) {
    const [warning = 'empty'] = pagesByWarning.keys();
    throw new ExtractionError(warning);
  }
  const warnings = Array.from(pagesByWarning, ([code, numbers]) => ({ code, pages: numbers }));
  return { type: 'complete', warnings, reusable: isReusable() };
}

async function extractDocument(format: TextFormat, bytes: Uint8Array): Promise<void> {
  let result: ExtractionReply;
  try {
    result = await sendPages(extractPages(format, bytes, limits), limits);
  } catch (error) {
    const failure = error instanceof ExtractionError ? error.failure : 'damaged';
    result = { type: 'failed', error: failure, reusable: isReusable() };
  }
  await reply(result);
}

let format: TextFormat | undefined;

process.on('message', (message) => {
  const request = parseExtractionRequest(message);
  switch (request?.type) {
    case 'document':
      format = request.format;
      received = [];
      void reply({ type: 'accepted' });
      break;
    case 'bytes':
      received.push(request.bytes);
      break;
    case 'end': {
      if (format === undefined) process.exit(1);
      const bytes = received.length === 1 && received[0] ? received[0] : Buffer.concat(received);
      received = [];
      void extractDocument(format, bytes);
      break;
    }
    case undefined:
      process.exit(1);
  }
});
process.on('disconnect', () => process.exit());
// A terminal sends these to all processes that were started from it, and a service manager to all of a service. The
// parent decides when this one ends; if the parent is killed, the channel closes and the watchdog sees it.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => undefined);
// Parsers leave promises behind whose failure is that of the document, which they report as well.
process.on('unhandledRejection', () => undefined);

const watchdog = new Worker(new URL('./watchdog.js', import.meta.url), {
  workerData: [memoryAtStart + limits.memoryBytes, Number(parentArgument)],
});
// Without its watchdog the process must not read a document.
watchdog.on('exit', () => process.exit(1));
await once(watchdog, 'online');
forbidNetwork();
forbidThreads();
await reply({ type: 'ready' });
