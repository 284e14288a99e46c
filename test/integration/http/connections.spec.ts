// Real components: sockets with malformed HTTP, written byte by byte. One test waits for the product's own 15
// s timeout, which elapses while the others run. This is why all cases of connections are in one file.
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import express, { type Request, type Response } from 'express';
import { pino } from 'pino';
import { ErrorFormats } from '../../../src/http/errors/error-format.js';
import { ClientErrorHandler, connectionLimits, TimeoutExpressAdapter } from '../../../src/http/index.js';
import { startApi } from '../../support/api.js';
import { at, registerUser, send } from '../../support/client.js';
import { setUpApi } from '../../support/set-up.js';

const JSON_TYPE = 'Content-Type: application/json\r\n';

const api = setUpApi();

@Module({})
class EmptyModule {}

async function open(url = api.url): Promise<Socket> {
  const socket = connect(Number(new URL(url).port), '127.0.0.1');
  await once(socket, 'connect');
  return socket;
}

/** Reads until the server closes the connection. */
async function rest(socket: Socket): Promise<string> {
  let text = '';
  socket.setEncoding('utf8').on('data', (piece: string) => (text += piece));
  socket.on('error', () => undefined);
  // `once` of node:events would reject at an error, which a write after the end of the connection is.
  await new Promise<void>((resolve) => {
    socket.once('close', () => {
      resolve();
    });
  });
  return text;
}

interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: unknown;
}

function parse(text: string): Answer {
  const [head = '', body = ''] = text.split('\r\n\r\n');
  const [first = '', ...lines] = head.split('\r\n');
  const headers = new Headers(
    lines.map((line): [string, string] => {
      const colon = line.indexOf(':');
      return [line.slice(0, colon), line.slice(colon + 1).trim()];
    }),
  );
  return { status: Number(first.split(' ')[1]), headers, body: JSON.parse(body) as unknown };
}

/** Sends bytes and reads the response until the server closes the connection. */
async function say(text: string | Uint8Array, url?: string): Promise<Answer> {
  const socket = await open(url);
  socket.write(text);
  return parse(await rest(socket));
}

function expectError({ status, headers, body }: Answer, expectedStatus: number, code: string): void {
  const message: unknown = expect.stringMatching(/\w/);
  expect(body).toEqual({
    error: { code, message, type: 'invalid_request_error', param: null },
    request_id: headers.get('x-request-id'),
  });
  expect(status).toBe(expectedStatus);
  expect(headers.get('x-request-id')).toMatch(/^[0-9a-f-]{36}$/);
  expect(headers.get('connection')).toBe('close');
  expect(headers.get('content-type')).toBe('application/json; charset=utf-8');
}

/**
 * Clients that never finish their headers, with the responses and the seconds after which they were
 * disconnected.
 */
interface TooSlow {
  readonly ends: readonly string[];
  readonly seconds: number;
}

let tooSlow: Promise<TooSlow>;

beforeAll(async () => {
  const startedAt = performance.now();
  const [silent, slow] = [await open(), await open()];
  slow.write('GET / HTTP/1.1\r\nHost: a\r\nX-Slow:');
  const drip = setInterval(() => slow.write('x'), 500);
  tooSlow = Promise.all([rest(silent), rest(slow)]).then((ends) => {
    clearInterval(drip);
    return { ends, seconds: (performance.now() - startedAt) / 1000 };
  });
});

describe('a connection with malformed HTTP is answered with an error and closed:', () => {
  it.each<[what: string, text: string]>([
    ['a line of garbage', 'Hello?\r\n\r\n'],
    ['TLS', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n'],
    ['a header without a name', 'GET / HTTP/1.1\r\n: x\r\n\r\n'],
    ['a broken header name', 'GET / HTTP/1.1\r\nHost: a\r\nA B: x\r\n\r\n'],
    ['NUL in a header', 'GET / HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n'],
    ['no host', 'GET / HTTP/1.1\r\n\r\n'],
    ['two hosts', 'GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n'],
    ['an invalid length', 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n'],
    ['two lengths', 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n'],
    [
      'a length and chunks',
      'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    ],
  ])('%s', async (_what, text) => {
    expectError(await say(text), 400, 'invalid_request');
  });

  it('headers of more than 16 KB', async () => {
    const header = `X-Long: ${'x'.repeat(20_000)}`;
    expectError(await say(`GET / HTTP/1.1\r\nHost: a\r\n${header}\r\n\r\n`), 431, 'headers_too_large');
  });

  it('a request target of more than 16 KB', async () => {
    expectError(
      await say(`GET /${'x'.repeat(20_000)} HTTP/1.1\r\nHost: a\r\n\r\n`),
      431,
      'headers_too_large',
    );
  });

  it('a malformed chunk, with the error in the API format of the route', async () => {
    const head = `Host: a\r\n${JSON_TYPE}Transfer-Encoding: chunked\r\n\r\nzz\r\n`;
    expectError(await say(`POST /v1/completions HTTP/1.1\r\n${head}`), 400, 'invalid_request');
    expect(await say(`POST /v1/messages HTTP/1.1\r\n${head}`)).toMatchObject({
      status: 400,
      body: { type: 'error', error: { type: 'invalid_request_error' } },
    });
    expect(await say(`POST /ollama/api/chat HTTP/1.1\r\n${head}`)).toMatchObject({
      status: 400,
      body: { error: 'The request is not valid HTTP/1.1.' },
    });
  });

  it('garbage after a valid request that was answered', async () => {
    const socket = await open();
    socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    await once(socket, 'data');
    const end = rest(socket);
    socket.write('garbage\r\n\r\n');
    expectError(parse(await end), 400, 'invalid_request');
  });

  it('garbage directly after a complete request, which is still answered as the last one', async () => {
    const { token } = await registerUser(api.url);
    const body = '{"message":"Hello"}';
    const head = `Host: a\r\n${JSON_TYPE}Authorization: Bearer ${token}\r\nContent-Length: ${body.length}`;
    const answer = await say(`POST /api/v1/chat HTTP/1.1\r\n${head}\r\n\r\n${body}GARBAGE\r\n\r\n`);
    expect(answer).toMatchObject({ status: 200, body: { finish_reason: 'stop' } });
    expect(api.log.filter((line) => line.includes('"level":50'))).toEqual([]);
  });

  it('with a log line that has the request id and none of the received data', async () => {
    const { headers } = await say('GET /secret-path HTTP/1.1\r\nBad Header: secret\r\n\r\n');
    const id = headers.get('x-request-id') ?? 'none';
    expect(api.log.filter((line) => line.includes(id))).toHaveLength(1);
    expect(api.log.join('')).not.toContain('secret');
  });

  it('except for an unknown Expect header, which is ignored', async () => {
    const answer = await say('GET / HTTP/1.1\r\nHost: a\r\nExpect: a miracle\r\nConnection: close\r\n\r\n');
    expect(answer).toMatchObject({ status: 200, body: { name: 'parley' } });
  });
});

describe('with short timeouts', () => {
  let url: string;
  let close: () => Promise<void>;
  let aborted: Promise<unknown>;

  beforeAll(async () => {
    const limits = { ...connectionLimits(1), headersMs: 200, requestMs: 400, checkMs: 50 };
    const adapter = new TimeoutExpressAdapter(limits);
    const app = await NestFactory.create<NestExpressApplication>(EmptyModule, adapter, {
      bodyParser: false,
      logger: false,
    });
    const broken = new ClientErrorHandler(new ErrorFormats([]), pino({ level: 'silent' }));
    broken.listenTo(app.getHttpServer());
    app.use(broken.guard);
    app.use('/read', express.json());
    app.use('/read', (request: Request, response: Response) => void response.json(request.body));
    app.use('/early', (_request: Request, response: Response) => {
      aborted = once(response, 'close');
      response.write('early');
    });
    app.use('/late', (_request: Request, response: Response) => {
      setTimeout(() => response.json('late'), 1000);
    });
    await app.listen(0, '127.0.0.1');
    url = await app.getUrl();
    close = () => app.close();
  });

  afterAll(() => close());

  const post = (path: string, length: number): string =>
    `POST ${path} HTTP/1.1\r\nHost: a\r\n${JSON_TYPE}Content-Length: ${length}\r\n\r\n`;

  it('a slowly sent body is cut off with 408 at the request timeout', async () => {
    const socket = await open(url);
    socket.write(post('/read', 1000));
    const drip = setInterval(() => socket.write(' '), 20);
    socket.once('data', () => {
      clearInterval(drip);
    });
    const end = await rest(socket);
    const { status, headers, body } = parse(end);
    expect({ status, code: at(at(body, 'error'), 'code') }).toEqual({ status: 408, code: 'request_timeout' });
    expect(headers.get('connection')).toBe('close');
  });

  it('a body still sent slowly after the response has begun ends the connection without a second response', async () => {
    const socket = await open(url);
    socket.write(post('/early', 1000));
    const end = await rest(socket);
    expect(end).toContain('early');
    expect(end.match(/HTTP\/1\.1/g)).toHaveLength(1);
    await aborted;
  });

  it('a complete request is not cut off, however long its response takes', async () => {
    const socket = await open(url);
    socket.write(post('/late', 2) + '{}');
    const [piece] = (await once(socket, 'data')) as [Buffer];
    expect(piece.toString()).toContain('"late"');
    socket.destroy();
  });
});

describe('the body of a compatible API', () => {
  it.each(['/v1/chat/completions', '/v1/completions', '/v1/embeddings', '/v1/messages', '/ollama/api/chat'])(
    'is refused by %s if it is hostile',
    async (path) => {
      const { token } = await registerUser(api.url);
      const part = {
        model: 'demo/demo',
        messages: [{ role: 'user', content: 'x' }],
        input: 'x',
        prompt: 'x',
      };
      const fields = JSON.stringify({ ...part, max_tokens: 5 }).slice(0, -1);
      const hostile: readonly (readonly [string | Uint8Array<ArrayBuffer>, RegExp])[] = [
        [`${fields},"x":${'['.repeat(100_000)}${']'.repeat(100_000)}}`, /deeper than 128/],
        [`${fields},"x":${'{"a":'.repeat(100_000)}1${'}'.repeat(100_000)}}`, /deeper than 128/],
        [`${fields},"x":[${'0,'.repeat(450_000)}0]}`, /more than 400,000 values/],
        [
          `${fields},"x":{${Array.from({ length: 1001 }, (_, index) => `"k${index}":1`).join()}}}`,
          /1000 fields/,
        ],
        [`${fields},"x":"\\u0000"}`, /NUL/],
        [`${fields},"x":"\\ud800"}`, /surrogate/],
        [`${fields},"__proto__":{"model":"x"}}`, /__proto__/],
        [`${fields},"x":"\0"}`, /not a valid JSON/],
        [
          new Uint8Array([...new TextEncoder().encode(`${fields},"x":"`), 0xff, 0x22, 0x7d]),
          /not valid UTF-8/,
        ],
      ];
      for (const [body, message] of hostile) {
        const response = await fetch(api.url + path, {
          method: 'POST',
          headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
          body,
        });
        expect({ status: response.status, text: await response.text() }).toEqual({
          status: 400,
          text: expect.stringMatching(message),
        });
      }
    },
  );

  it('is refused in an encoding other than UTF-8, however it is declared', async () => {
    const { token } = await registerUser(api.url);
    const text = JSON.stringify({ model: 'demo/echo', messages: [{ role: 'user', content: 'a\0b' }] });
    for (const type of [
      'application/json; charset=utf-16le',
      'application/json; x="a; charset=utf-8"; charset=utf-16le',
      'application/json; charset=utf-16le; charset=utf-8',
    ]) {
      const response = await fetch(`${api.url}/v1/chat/completions`, {
        method: 'POST',
        headers: { authorization: `Bearer ${token}`, 'content-type': type },
        body: new Uint8Array(Buffer.from(text, 'utf16le')),
      });
      expect([400, 415]).toContain(response.status);
      await response.text();
    }
  });
});

describe('a large body', () => {
  /** Sends only the headers of a request with a body of 30 MB, and returns the response. */
  const announce = async (path: string, headers = ''): Promise<Answer> => {
    const socket = await open();
    socket.write(`POST ${path} HTTP/1.1\r\nHost: a\r\n${JSON_TYPE}${headers}\r\n`);
    return parse(await rest(socket));
  };

  it.each(['Content-Length: 30000000', 'Transfer-Encoding: chunked'])(
    'without valid credentials is refused before it is read: %s',
    async (length) => {
      expect(await announce('/v1/chat/completions', `${length}\r\n`)).toMatchObject({
        status: 401,
        body: { error: { code: 'unauthorized' } },
      });
      const wrong = `${length}\r\nX-API-Key: not-a-key\r\n`;
      expect(await announce('/v1/messages', wrong)).toMatchObject({
        status: 401,
        body: { type: 'error', error: { type: 'authentication_error' } },
      });
    },
  );

  it('whose declared length exceeds the limit is refused before it is read', async () => {
    const { token } = await registerUser(api.url);
    const known = `Authorization: Bearer ${token}\r\nContent-Length: 40000000\r\n`;
    for (const path of ['/v1/chat/completions', '/api/v1/chat'])
      expect(await announce(path, known)).toMatchObject({
        status: 413,
        body: { error: { code: 'payload_too_large' } },
      });
  });

  it('of an authenticated account is read', async () => {
    const user = await registerUser(api.url);
    const content = 'x'.repeat(2_000_000);
    const body = { model: 'demo/echo', messages: [{ role: 'user', content }], max_tokens: 5 };
    expect((await user.request('POST', '/v1/chat/completions', body)).status).toBe(200);
  });
});

describe('a request that fails before authentication', () => {
  it('is rate limited by client address', async () => {
    const limited = await startApi({ RATE_LIMIT_IP_RPM: '5' });
    try {
      const statuses: number[] = [];
      for (let count = 0; count < 4; count += 1) {
        const broken = { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{' };
        statuses.push((await fetch(`${limited.url}/api/v1/chat`, broken)).status);
        statuses.push((await fetch(`${limited.url}/nowhere`)).status);
      }
      expect(statuses).toEqual([400, 404, 400, 404, 400, 429, 429, 429]);
    } finally {
      await limited.close();
    }
  });
});

describe('a slow client', () => {
  it('is disconnected with 408 if its headers take longer than 15 s, even if it sends nothing', async () => {
    const { ends, seconds } = await tooSlow;
    for (const end of ends) expectError(parse(end), 408, 'request_timeout');
    expect(seconds).toBeGreaterThan(14);
    // Without our limit, Node.js waits a minute.
    expect(seconds).toBeLessThan(55);
    expect((await send(`${api.url}/health/ready`)).status).toBe(200);
  }, 120_000);

  it('has four seconds per megabyte of the upload limit for a request, and at least a minute', () => {
    expect(connectionLimits(1).requestMs).toBe(60_000);
    expect(connectionLimits(32).requestMs).toBe(128_000);
  });
});
