// Real components: the built server as a process with a small heap, PostgreSQL, text extraction, multipart uploads.
import { createServer, request, type Server } from 'node:http';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { at, listAt, registerUser, type TestUser, userWith } from '../support/client.js';
import { makeDataDir } from '../support/data-dir.js';
import { createMigratedDatabase, type TestDatabase } from '../support/database.js';
import { memoryOf } from '../support/documents.js';
import { makePdf } from '../support/pdf.js';
import { COLLECTIONS, uploadDocument } from '../support/rag-documents.js';
import { type ServerProcess, startServer } from '../support/server-process.js';
import { query, until } from '../support/stored.js';

/** Heap of the server, in MB, so that what it keeps shows in its memory. */
const HEAP_MB = 160;

/** Rows of the table whose memory counts, and of the one before, which has the caches filled. */
const ROWS = 200_000;
const FIRST_ROWS = 20_000;

/** Memory that ten times the rows may take in addition, in bytes. */
const MAX_GROWTH = 60 * 2 ** 20;

const PAGES = 300;

/** Time after which the proxy ends a request, in milliseconds. */
const PROXY_LIMIT_MS = 30_000;

const PATIENCE_MS = 240_000;

let dataDir: Awaited<ReturnType<typeof makeDataDir>>;
let database: TestDatabase;
let server: ServerProcess;
let url: string;
let user: TestUser;

beforeAll(async () => {
  dataDir = await makeDataDir();
  database = await createMigratedDatabase();
  server = startServer({
    DATA_DIR: dataDir.path,
    DATABASE_URL: database.url,
    // The test polls.
    RATE_LIMIT_RPM: '100000',
    RATE_LIMIT_IP_RPM: '100000',
    NODE_OPTIONS: `--max-old-space-size=${HEAP_MB}`,
  });
  url = await server.ready;
  user = await registerUser(url);
  const settings = { embedding_model: null, chunk_tokens: 800, chunk_overlap: 0 };
  await user.request('POST', COLLECTIONS, { name: 'tables', ...settings });
  await user.request('POST', COLLECTIONS, { name: 'books', ...settings });
}, 150_000);

afterAll(async () => {
  await server.end('SIGKILL');
  await database.drop();
  await dataDir.remove();
});

/** Polls a document until its ingestion has ended, and returns it. */
function untilEnded(reader: TestUser, collection: string, id: unknown): Promise<unknown> {
  return until(
    `the end of ${String(id)}`,
    async () => {
      const { body } = await reader.request('GET', `${COLLECTIONS}/${collection}/documents/${String(id)}`);
      return !['queued', 'processing'].includes(String(at(body, 'status'))) && body;
    },
    PATIENCE_MS,
  );
}

const HEADER = 'number,item,remark';
const rowOf = (number: number): string => `${number},item${number},"a, ""quoted"" remark"`;

/** Uploads a table and waits for its end. Returns its id. */
async function ingestTable(rows: number): Promise<string> {
  const lines = Array.from({ length: rows }, (_row, index) => rowOf(index + 1));
  const { body } = await uploadDocument(url, user, 'tables', {
    name: `${rows}.csv`,
    type: 'text/csv',
    bytes: `${HEADER}\n${lines.join('\n')}\n`,
  });
  const id = String(at(body, 'id'));
  expect(await untilEnded(user, 'tables', id)).toMatchObject({ status: 'ready' });
  return id;
}

it(
  'a table of 200,000 rows takes little more memory than a tenth of it, and each row is whole in one chunk',
  async () => {
    const { pid = 0 } = server.child;
    await ingestTable(FIRST_ROWS);
    const before = memoryOf(pid, 'VmHWM');
    const id = await ingestTable(ROWS);
    expect(memoryOf(pid, 'VmHWM') - before).toBeLessThan(MAX_GROWTH);
    const chunks = await query(
      database,
      `SELECT prefix, text, first_row, last_row FROM chunks JOIN ingestions ON ingestions.id = ingestion_id
       WHERE document_id = $1 ORDER BY ordinal`,
      [id],
    );
    let next = 1;
    for (const { prefix, text, first_row: first, last_row: last } of chunks) {
      expect(first).toBe(next);
      const rows = Array.from({ length: Number(last) - next + 1 }, (_row, index) => rowOf(next + index));
      // The header is in the text of the first chunk, and before that of each other one.
      const lines = `${String(prefix).trim()}\n${String(text).trim()}`.trim().split('\n');
      expect(lines).toEqual([HEADER, ...rows]);
      next += rows.length;
    }
    expect(next).toBe(ROWS + 1);
    const found = await user.request('POST', '/api/v1/rag/search', {
      query: 'item123456',
      collection: 'tables',
      top_k: 1,
    });
    const [hit] = listAt(found.body, 'data');
    expect(String(at(hit, 'text'))).toContain(rowOf(123_456));
    expect(Number(at(hit, 'rows', 'first'))).toBeLessThanOrEqual(123_456);
    expect(Number(at(hit, 'rows', 'last'))).toBeGreaterThanOrEqual(123_456);
  },
  2 * PATIENCE_MS,
);

/** Starts a proxy that ends each request after a time, as proxies of hosts do. */
async function startLimitedProxy(): Promise<{ readonly proxy: Server; readonly proxyUrl: string }> {
  const proxy = createServer((incoming, response) => {
    const { method, headers, url: path = '/' } = incoming;
    const outgoing = request(url + path, { method, headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    });
    const end = (): void => {
      outgoing.destroy();
      response.destroy();
    };
    const timer = setTimeout(end, PROXY_LIMIT_MS);
    outgoing.on('error', end);
    response.on('close', () => {
      clearTimeout(timer);
    });
    incoming.pipe(outgoing);
  });
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  const address = proxy.address();
  if (address === null || typeof address === 'string') throw new Error('The proxy does not listen.');
  return { proxy, proxyUrl: `http://127.0.0.1:${address.port}` };
}

it(
  'a PDF of 300 pages is answered before its text is read, and ready behind a proxy that ends requests after 30 s',
  async () => {
    const { proxy, proxyUrl } = await startLimitedProxy();
    try {
      const pages = Array.from({ length: PAGES }, (_page, index) =>
        `Chapter${index + 1} is about the lighthouses of the northern coast. `.repeat(20),
      );
      const added = await uploadDocument(proxyUrl, user, 'books', {
        name: 'book.pdf',
        type: 'application/pdf',
        bytes: await makePdf(pages),
      });
      expect(added.status).toBe(202);
      expect(at(added.body, 'pages')).not.toBe(PAGES);
      const reader = userWith(proxyUrl, user.token);
      expect(await untilEnded(reader, 'books', at(added.body, 'id'))).toMatchObject({
        status: 'ready',
        pages: PAGES,
      });
      const found = await reader.request('POST', '/api/v1/rag/search', {
        query: 'Chapter287',
        collection: 'books',
        top_k: 1,
      });
      expect(listAt(found.body, 'data')).toMatchObject([{ page: 287 }]);
    } finally {
      proxy.closeAllConnections();
      proxy.close();
    }
  },
  PATIENCE_MS,
);
