// Each content coding is tested at two levels, as plain functions and in ResponseBody, with one table of
// codings and one text.
import { once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import { pipeline, Readable } from 'node:stream';
import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync, zstdCompressSync } from 'node:zlib';
import { afterEach, describe, expect, it } from '@jest/globals';
import { Agent, request } from 'undici';
import { ProviderError } from '../port/index.js';
import { createAgent } from './agent.js';
import { BrokenBodyError, MAX_BODY_BYTES } from './broken-body.js';
import { codingsOf, decompress } from './content-coding.js';
import { ResponseBody } from './response-body.js';

/** Long enough to need several chunks, and hard enough to compress that truncating it loses data. */
const TEXT = Array.from({ length: 5000 }, (_, line) => `${line}: ${Math.imul(line, 2_654_435_761)} ✓`).join(
  '\n',
);

const CODINGS: readonly (readonly [name: string, header: string, pack: (bytes: Buffer) => Buffer])[] = [
  ['gzip', 'gzip', (bytes) => gzipSync(bytes)],
  ['gzip by its old name', 'X-GZip', (bytes) => gzipSync(bytes)],
  [
    'gzip in two members',
    'gzip',
    (bytes) => Buffer.concat([gzipSync(bytes.subarray(0, 99)), gzipSync(bytes.subarray(99))]),
  ],
  ['deflate with zlib’s head', 'deflate', (bytes) => deflateSync(bytes)],
  ['deflate without it', 'deflate', (bytes) => deflateRawSync(bytes)],
  ['Brotli', 'br', (bytes) => brotliCompressSync(bytes)],
  ['Zstandard', 'zstd', (bytes) => zstdCompressSync(bytes)],
  ['two codings', 'deflate, gzip', (bytes) => gzipSync(deflateSync(bytes))],
  [
    'three codings',
    'br, identity, zstd, gzip',
    (bytes) => gzipSync(zstdCompressSync(brotliCompressSync(bytes))),
  ],
];

const piecesOf = (bytes: Uint8Array, length: number): Uint8Array[] =>
  Array.from({ length: Math.ceil(bytes.length / length) }, (_, index) =>
    bytes.subarray(index * length, (index + 1) * length),
  );
const textOf = async (pieces: AsyncIterable<Uint8Array>): Promise<string> =>
  Buffer.concat(await Array.fromAsync(pieces)).toString('utf8');
const failureOf = (reading: Promise<unknown>): Promise<unknown> =>
  reading.then(
    () => 'an answer',
    (error: unknown) => error,
  );

describe('codingsOf', () => {
  it.each<[string | string[] | undefined, string[]]>([
    [undefined, []],
    ['', []],
    ['identity', []],
    ['utf-8, None, BINARY', []],
    [' GZIP , br', ['gzip', 'br']],
    [
      ['deflate', 'gzip, identity'],
      ['deflate', 'gzip'],
    ],
  ])('parses %j as %j', (header, codings) => {
    expect(codingsOf(header)).toEqual(codings);
  });
});

describe('unpack', () => {
  describe.each(CODINGS)('%s', (_name, header, pack) => {
    const packed = pack(Buffer.from(TEXT));

    it.each([1000, Number.MAX_SAFE_INTEGER])(
      'decompresses a body from pieces of up to %d bytes',
      async (length) => {
        expect(await textOf(decompress(piecesOf(packed, length), codingsOf(header)))).toBe(TEXT);
      },
    );

    it('reports a body that ends early as broken', async () => {
      const half = packed.subarray(0, packed.length / 2);
      expect(await failureOf(textOf(decompress([half], codingsOf(header))))).toBeInstanceOf(BrokenBodyError);
    });

    it('returns nothing for an empty body', async () => {
      expect(await textOf(decompress([], codingsOf(header)))).toBe('');
    });
  });

  it.each(['br', 'zstd', 'deflate'])('refuses bytes that are not in the format %s', async (coding) => {
    const garbage = Buffer.from(
      '\u0000\u0001 this is of no coding at all, and long enough to be distinguished from one',
    );
    expect(await failureOf(textOf(decompress([garbage], [coding])))).toMatchObject({
      kind: 'unreadable_answer',
    });
  });

  it('refuses bytes that begin as gzip and continue as something else', async () => {
    const garbage = Buffer.concat([gzipSync(TEXT).subarray(0, 10), Buffer.alloc(100, 0xff)]);
    expect(await failureOf(textOf(decompress([garbage], ['gzip'])))).toMatchObject({
      kind: 'unreadable_answer',
    });
  });

  it.each(
    ['gzip', 'deflate', 'br', 'zstd', 'lzma'].flatMap((coding) =>
      ['{"choices":[]}', '\uFEFF [{"error":1}]', 'data: {"id":1}\n\n', ': comment\n\n', '<html></html>'].map(
        (text) => [coding, text] as const,
      ),
    ),
  )('passes on an uncompressed body although its header says %s: %j', async (coding, text) => {
    expect(await textOf(decompress([Buffer.from(text)], [coding]))).toBe(text);
  });

  it('passes on an uncompressed body although its header names two codings', async () => {
    expect(await textOf(decompress([Buffer.from('{"choices":[]}')], ['br', 'gzip']))).toBe('{"choices":[]}');
  });

  it('passes on an uncompressed body although its header says gzip', async () => {
    expect(await textOf(decompress([Buffer.from(TEXT)], ['gzip']))).toBe(TEXT);
  });

  it.each([['lzma'], ['gzip', 'lzma'], ['gzip', 'gzip', 'gzip', 'gzip']])(
    'refuses the codings %j and names them',
    async (...codings) => {
      const failure = await failureOf(textOf(decompress([gzipSync(TEXT)], codings)));
      expect(failure).toBeInstanceOf(ProviderError);
      expect(failure).toMatchObject({
        kind: 'unreadable_answer',
        message: expect.stringContaining(codings.join(', ')),
      });
    },
  );

  it('passes on the error of the connection', async () => {
    const broken = new BrokenBodyError(new Error('ECONNRESET'));
    async function* breaking() {
      yield gzipSync(TEXT).subarray(0, 100);
      await Promise.resolve();
      throw broken;
    }
    expect(await failureOf(textOf(decompress(breaking(), ['gzip'])))).toBe(broken);
  });

  it('stops decompressing and reading at the size limit', async () => {
    const member = gzipSync(Buffer.alloc(16 * 1024 * 1024));
    let read = 0;
    const left = Promise.withResolvers<string>();
    async function* endless() {
      try {
        for (;;) {
          read += 1;
          yield member;
          await Promise.resolve();
        }
      } finally {
        left.resolve('left');
      }
    }
    let held = 0;
    const reading = (async () => {
      for await (const piece of decompress(endless(), ['gzip'])) held += piece.length;
    })();
    expect(await failureOf(reading)).toMatchObject({ kind: 'unreadable_answer' });
    expect(held).toBeLessThanOrEqual(MAX_BODY_BYTES);
    expect(await left.promise).toBe('left');
    // The limit is reached after 16; reading ahead is limited by the stream buffers.
    expect(read).toBeLessThan(40);
  });

  it('decompresses a body no faster than it is read', async () => {
    const member = gzipSync(Buffer.alloc(1024 * 1024));
    let read = 0;
    async function* endless() {
      for (;;) {
        read += 1;
        yield member;
        await Promise.resolve();
      }
    }
    const reading = decompress(endless(), ['gzip']);
    await reading.next();
    // By now, everything that can run without the reader has run.
    for (let turn = 0; turn < 200; turn += 1) await new Promise((resolve) => setImmediate(resolve));
    const ahead = read;
    // The stream buffers, which are counted in compressed bytes.
    expect(ahead * member.length).toBeLessThan(256 * 1024);
    for (let turn = 0; turn < 200; turn += 1) await new Promise((resolve) => setImmediate(resolve));
    expect(read).toBe(ahead);
    await reading.return();
  });
});

describe('ResponseBody', () => {
  const agents: Agent[] = [];
  const servers: Server[] = [];

  afterEach(async () => {
    await Promise.all(agents.splice(0).map((agent) => agent.destroy()));
    for (const server of servers.splice(0)) {
      server.closeAllConnections();
      server.close();
    }
  });

  /** Returns the body that a host responds with. */
  async function bodyFrom(answer: RequestListener, agent = new Agent()): Promise<ResponseBody> {
    const server = createServer(answer).listen(0, '127.0.0.1');
    servers.push(server);
    await once(server, 'listening');
    const address = server.address();
    if (address === null || typeof address === 'string') throw new Error('The host does not listen.');
    agents.push(agent);
    return new ResponseBody(await request(`http://127.0.0.1:${address.port}`, { dispatcher: agent }));
  }

  it.each(CODINGS)('reads %s, as text and as bytes', async (_name, header, pack) => {
    const answer: RequestListener = (_request, response) => {
      response.setHeader('content-encoding', header);
      response.end(pack(Buffer.from(`\uFEFF${TEXT}`)));
    };
    expect(await (await bodyFrom(answer)).text()).toBe(TEXT);
    expect(await textOf((await bodyFrom(answer)).bytes())).toBe(`\uFEFF${TEXT}`);
  });

  it('refuses a body of more than 256 MiB', async () => {
    const piece = Buffer.alloc(1024 * 1024);
    const answer: RequestListener = (_request, response) => {
      const pieces = Readable.from(Array.from({ length: 257 }, () => piece));
      pipeline(pieces, response, () => undefined);
    };
    const body = await bodyFrom(answer, createAgent({ connectTimeoutMs: 1_000 }));
    let length = 0;
    const read = async (): Promise<void> => {
      for await (const { length: more } of body.bytes()) length += more;
    };
    expect(await failureOf(read())).toMatchObject({ kind: 'unreadable_answer' });
    expect(length).toBeLessThanOrEqual(MAX_BODY_BYTES);
  });

  it.each([
    ['a plain one', {}],
    ['a packed one', { 'content-encoding': 'gzip' }],
  ])('reports %s as broken if it loses its connection', async (_what, headers) => {
    const answer: RequestListener = (_request, response) => {
      response.writeHead(200, headers);
      response.write(Object.keys(headers).length === 0 ? TEXT : gzipSync(TEXT).subarray(0, 2000), () =>
        response.destroy(),
      );
    };
    expect(await failureOf((await bodyFrom(answer)).text())).toBeInstanceOf(BrokenBodyError);
    expect(await failureOf(textOf((await bodyFrom(answer)).bytes()))).toBeInstanceOf(BrokenBodyError);
  });

  it.each([
    ['a plain one', {}],
    ['a packed one', { 'content-encoding': 'gzip' }],
  ])('closes the connection if reading %s is abandoned early', async (_what, headers) => {
    const closed = Promise.withResolvers<string>();
    const body = await bodyFrom((_request, response) => {
      response.on('close', () => closed.resolve('closed'));
      response.writeHead(200, headers);
      // The member is flushed by its end, but the response is never ended.
      response.write(Object.keys(headers).length === 0 ? TEXT : gzipSync(TEXT));
    });
    for await (const piece of body.bytes()) {
      expect(piece.length).toBeGreaterThan(0);
      break;
    }
    body.abandon();
    expect(await closed.promise).toBe('closed');
  });

  it('abandons a body that cannot be decompressed, and closes its connection', async () => {
    const closed = Promise.withResolvers<string>();
    const body = await bodyFrom((_request, response) => {
      response.on('close', () => closed.resolve('closed'));
      response.writeHead(200, { 'content-encoding': 'br' });
      response.write(Buffer.alloc(1000, 0xff));
    });
    expect(await failureOf(body.text())).toMatchObject({ kind: 'unreadable_answer' });
    expect(await closed.promise).toBe('closed');
  });

  it('allows its connection to be reused once the rest is read', async () => {
    const body = await bodyFrom((_request, response) => {
      response.setHeader('content-encoding', 'gzip');
      response.end(gzipSync(TEXT));
    });
    for await (const piece of body.bytes()) {
      expect(piece.length).toBeGreaterThan(0);
      break;
    }
    await body.finish();
    const [server] = servers;
    expect(
      await new Promise((resolve) =>
        server?.getConnections((_error, count) => {
          resolve(count);
        }),
      ),
    ).toBe(1);
  });
});
