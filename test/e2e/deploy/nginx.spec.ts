// Real components: nginx with the files of deploy/nginx in front of the built server. Almost all cases use
// one running server, database and nginx, because starting them is slow.
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { type IncomingHttpHeaders, type IncomingMessage, request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { connect } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { at, registerUser, send, type TestUser, userWith } from '../../support/client.js';
import { makeDataDir } from '../../support/data-dir.js';
import { createMigratedDatabase, type TestDatabase } from '../../support/database.js';
import { describeWithProgram, findProgram, NGINX } from '../../support/debian-program.js';
import { type FakeProvider, startFakeProvider } from '../../support/fake-provider/fake-provider.js';
import { GatedAnswer } from '../../support/fake-provider/gated-answer.js';
import { upload } from '../../support/files.js';
import { UNLIMITED } from '../../support/limits.js';
import { type NginxConfiguration, writeNginxConfiguration } from '../../support/nginx.js';
import { type ServerProcess, startServer } from '../../support/server-process.js';
import { query, until } from '../../support/stored.js';

const MAX_UPLOAD_MB = 8;
const MEGABYTE = 2 ** 20;

/** Maximum duration of the start of all processes on a busy machine, in milliseconds. */
const START_MS = 180_000;

/** Pause of the model between two tokens, in milliseconds: what a buffer would add to the first event, and more. */
const PAUSE_MS = 2_000;

const nginxProgram = await findProgram(NGINX);

describeWithProgram('nginx with the files of deploy/nginx', nginxProgram, (program) => {
  let provider: FakeProvider;
  let database: TestDatabase;
  let dataDir: Awaited<ReturnType<typeof makeDataDir>>;
  let server: ServerProcess;
  let nginx: NginxConfiguration;
  let apiUrl: string;
  /** The same account, directly and through nginx. */
  let direct: TestUser;
  let proxied: TestUser;

  beforeAll(async () => {
    provider = await startFakeProvider();
    database = await createMigratedDatabase();
    dataDir = await makeDataDir();
    server = startServer({
      NODE_ENV: 'production',
      JWT_SECRET: 'Kq3vX8rTz1mYw6BnJd5hGs0aPf4cLe9uRi7o',
      ENCRYPTION_KEY: 'Vw2nQ7sLp9xRt4kBz8mYc1dHf6gJa3eTu5i0',
      METRICS_TOKEN: 'Tn4kQ8wZr2yXv6mBc5Hd9Jf3Lg7Pq1Rs',
      AUTH_REGISTRATION: 'open',
      DATABASE_URL: database.url,
      DATA_DIR: dataDir.path,
      MAX_UPLOAD_MB: String(MAX_UPLOAD_MB),
      BATCH_MAX_INPUT_MB: String(MAX_UPLOAD_MB),
      TRUST_PROXY: '1',
      SHUTDOWN_DELAY_S: '0',
      OPENAI_BASE_URL: provider.baseUrl,
      DEFAULT_MODEL: 'openai/test-model',
      ...UNLIMITED,
    });
    apiUrl = await server.ready;
    nginx = await writeNginxConfiguration({
      program,
      mode: 'http',
      api: new URL(apiUrl).host,
      maxUploadMb: MAX_UPLOAD_MB,
      batchMaxInputMb: MAX_UPLOAD_MB,
    });
    await nginx.start();
    direct = await registerUser(apiUrl);
    proxied = userWith(nginx.httpUrl, direct.token);
  }, START_MS);

  afterAll(async () => {
    await nginx.remove();
    await server.end('SIGTERM');
    await database.drop();
    await dataDir.remove();
    await provider.close();
  });

  /** Measures the time to the first token of a model that then takes its time, as a buffer would show. */
  async function firstTokenMs(user: TestUser): Promise<number> {
    provider.script({ kind: 'answer', text: ['one ', 'two ', 'three'], delayBetweenChunksMs: PAUSE_MS });
    const begin = performance.now();
    for await (const { data } of user.stream('/api/v1/chat/stream', { message: 'Count' })) {
      const delta = at(data, 'delta');
      if (typeof delta === 'string' && delta !== '') return performance.now() - begin;
    }
    throw new Error('The stream had no token.');
  }

  it('passes nginx -t', async () => {
    expect(await nginx.test()).toEqual({ code: 0, output: expect.stringContaining('test is successful') });
  });

  it('answers the health check of the container', async () => {
    expect((await send(nginx.healthUrl)).status).toBe(200);
  });

  it('passes on the first event of a stream before the model sends its next token, and prints the delay', async () => {
    const times = { direct: [] as number[], proxied: [] as number[] };
    for (let round = 0; round < 5; round += 1) {
      times.direct.push(await firstTokenMs(direct));
      times.proxied.push(await firstTokenMs(proxied));
    }
    const delayMs = median(times.proxied) - median(times.direct);
    process.stderr.write(`    the first event through nginx is ${delayMs.toFixed(1)} ms later\n`);
    expect(delayMs).toBeLessThan(PAUSE_MS / 2);
  });

  it('holds no event back from a client that accepts gzip: each arrives before the model sends its next token', async () => {
    const words = ['one ', 'two ', 'three ', 'four ', 'five ', 'six'];
    const answer = new GatedAnswer(words);
    provider.script(answer);
    const seen: string[] = [];
    answer.release();
    for await (const { data } of proxied.stream('/api/v1/chat/stream', { message: 'Count' })) {
      const delta = at(data, 'delta');
      if (typeof delta !== 'string' || delta === '') continue;
      seen.push(delta);
      // A proxy that holds this event back would never see the next one, and the test would time out.
      if (seen.length < words.length) answer.release();
      else answer.finish();
    }
    expect(seen).toEqual(words);
  });

  it('compresses JSON and passes streams on unchanged', async () => {
    const document = await fetch(`${nginx.httpUrl}/docs-json`);
    expect(document.headers.get('content-encoding')).toBe('gzip');
    expect(at(await document.json(), 'openapi')).toMatch(/^3\./);

    const stream = await fetch(`${nginx.httpUrl}/api/v1/chat/stream`, {
      method: 'POST',
      headers: { authorization: `Bearer ${direct.token}`, 'content-type': 'application/json' },
      body: JSON.stringify({ message: 'Hello', model: 'demo/echo' }),
    });
    expect(stream.headers.get('content-encoding')).toBeNull();
    expect(stream.headers.get('content-type')).toContain('text/event-stream');
    expect(await stream.text()).toContain('[DONE]');
  });

  it('takes a file of MAX_UPLOAD_MB, and lets the API refuse a larger one', async () => {
    const bytes = Buffer.alloc(MAX_UPLOAD_MB * MEGABYTE, 'parley ');
    expect((await upload(nginx.httpUrl, direct, { bytes })).status).toBe(201);
    const larger = await upload(nginx.httpUrl, direct, { bytes: Buffer.concat([bytes, Buffer.from('!')]) });
    expect(larger.status).toBe(413);
    expect(at(larger.body, 'error', 'message')).toContain(`The limit for a file is ${MAX_UPLOAD_MB} MB.`);
  });

  it('refuses a body that is far too large itself, in the form of the API', async () => {
    const { status, headers, body } = await send(`${nginx.httpUrl}/v1/chat/completions`, {
      method: 'POST',
      body: 'x'.repeat((MAX_UPLOAD_MB + 2) * MEGABYTE),
    });
    expect({ status, code: at(body, 'error', 'code') }).toEqual({ status: 413, code: 'payload_too_large' });
    expect(headers.get('x-request-id')).toBe(at(body, 'request_id'));
  });

  it.each([
    [
      'headers that are too large',
      `GET /health HTTP/1.1\r\nHost: chat.test\r\nX-Long: ${'x'.repeat(40_000)}`,
      400,
    ],
    ['a path that is too long', `GET /${'x'.repeat(40_000)} HTTP/1.1\r\nHost: chat.test`, 414],
    ['a request without a host', 'GET /health HTTP/1.1', 400],
    ['a line that is no request', '?', 400],
    ['a method that it does not know', 'TRACE /health HTTP/1.1\r\nHost: chat.test', 405],
  ])('refuses %s itself, in the form of the API', async (_what, head, expected) => {
    const answer = await answerTo(nginx.httpUrl, `${head}\r\nConnection: close\r\n\r\n`);
    const [headers = '', body = ''] = answer.split('\r\n\r\n');
    expect(headers).toMatch(new RegExp(`^HTTP/1\\.1 ${String(expected)} `));
    expect(headers).toMatch(/^content-type: application\/json\r?$/im);
    expect(headers).not.toMatch(/^retry-after:/im);
    const parsed: unknown = JSON.parse(body);
    expect(at(parsed, 'error', 'code')).toBe('invalid_request');
    expect(headers).toContain(`X-Request-ID: ${String(at(parsed, 'request_id'))}`);
  });

  it('lets the API refuse a large body of an unauthenticated client before it is read', async () => {
    // Sends the beginning only: a proxy that collects the body first would wait for the rest.
    const request = httpRequest(`${nginx.httpUrl}/v1/chat/completions`, {
      method: 'POST',
      headers: {
        authorization: 'Bearer wrong',
        'content-type': 'application/json',
        'content-length': String(4 * MEGABYTE),
      },
    });
    const response = once(request, 'response');
    request.write('{"model":"');
    const [answer] = (await response) as [IncomingMessage];
    request.destroy();
    expect(answer.statusCode).toBe(401);
  });

  it('gives the API the address of the client, and none that the client forged', async () => {
    const email = 'forger@example.com';
    const { status } = await rawRequest(`${nginx.httpUrl}/api/v1/auth/register`, {
      localAddress: '127.0.0.9',
      headers: { 'content-type': 'application/json', 'x-forwarded-for': '203.0.113.7' },
      body: JSON.stringify({ email, password: 'a long password' }),
    });
    expect(status).toBe(201);
    const entries = await query(
      database,
      `SELECT address FROM audit_log WHERE user_id = (SELECT id FROM users WHERE email = $1)`,
      [email],
    );
    expect(entries).toEqual([{ address: '127.0.0.9' }]);
  });

  it('sends each security header exactly once', async () => {
    const names = [
      'x-request-id',
      'x-content-type-options',
      'x-frame-options',
      'referrer-policy',
      'content-security-policy',
    ];
    // One response of the API, and one of nginx.
    for (const path of ['/health', '/metrics']) {
      const { rawHeaders } = await rawRequest(`${nginx.httpUrl}${path}`, { method: 'GET' });
      const sent = rawHeaders.filter((_text, index) => index % 2 === 0).map((name) => name.toLowerCase());
      for (const name of names)
        expect({ path, name, times: sent.filter((other) => other === name).length }).toEqual({
          path,
          name,
          times: 1,
        });
    }
  });

  it('does not publish the metrics', async () => {
    for (const path of ['/metrics', '/metrics/', '/METRICS', '/%6detrics'])
      expect({ path, body: (await send(`${nginx.httpUrl}${path}`)).body }).toMatchObject({
        path,
        body: { error: { code: 'not_found', message: 'There is no such route.' } },
      });
  });

  it('answers 429 in the form of the API if one address sends too many requests', async () => {
    const asked = Array.from({ length: 300 }, async () => send(`${nginx.httpUrl}/health/live`));
    const answers = await Promise.all(asked);
    const refused = answers.find(({ status }) => status === 429);
    expect(at(refused?.body, 'error', 'code')).toBe('rate_limit_exceeded');
    expect(refused?.headers.get('retry-after')).toBe('1');
  });

  it('writes no query and no token into its log', async () => {
    await send(`${nginx.httpUrl}/api/v1/conversations?q=a-private-search`, {
      headers: { authorization: `Bearer ${direct.token}` },
    });
    const log = await until('the log line', async () => {
      const lines = await readFile(join(nginx.folder, 'access.log'), 'utf8');
      return lines.includes('/api/v1/conversations') && lines;
    });
    expect(log).not.toContain('a-private-search');
    expect(log).not.toContain(direct.token);
    for (const line of log.trim().split('\n')) expect(() => void JSON.parse(line)).not.toThrow();
  });

  it('writes no token of a shared conversation into any log, also if the API is away', async () => {
    const token = 'Zq7Xw2Rv9Tn4Kb8Ym3Hc6Jd1Fg5Lp0SsAeUiOoPxBtN';
    const away = await writeNginxConfiguration({
      program,
      mode: 'http',
      api: '127.0.0.1:9',
      maxUploadMb: MAX_UPLOAD_MB,
      batchMaxInputMb: MAX_UPLOAD_MB,
    });
    try {
      await away.start();
      const paths = [
        `/api/v1/shared/${token}?after=${token}`,
        `/api/v1/shared/${token}/export`,
        `/api/v1/${token}/${token}/${token}`,
      ];
      for (const path of paths) expect((await send(`${away.httpUrl}${path}`)).status).toBe(503);
      const log = await until('three log lines', async () => {
        const text = await away.logs();
        return text.split('"method":"GET"').length > paths.length && text;
      });
      expect(log).not.toContain(token);
      expect(Array.from(log.matchAll(/"path":"(.*?)"/g), ([, path]) => path)).toEqual([
        '/api/v1/shared/[redacted]',
        '/api/v1/shared/[redacted]/export',
        '/api/v1/[redacted]',
      ]);
    } finally {
      await away.remove();
    }
  });

  describe('with NGINX_MODE=tls', () => {
    let tls: NginxConfiguration;

    beforeAll(async () => {
      tls = await writeNginxConfiguration({
        program,
        mode: 'tls',
        api: new URL(apiUrl).host,
        maxUploadMb: MAX_UPLOAD_MB,
        batchMaxInputMb: MAX_UPLOAD_MB,
      });
      const folder = join(tls.folder, 'certificates');
      const files = ['-keyout', join(folder, 'privkey.pem'), '-out', join(folder, 'fullchain.pem')];
      const parameters = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
      execFileSync('openssl', [...parameters, '-subj', '/CN=localhost', '-days', '2', ...files], {
        stdio: 'ignore',
      });
      await tls.start();
    });

    afterAll(() => tls.remove());

    it('passes nginx -t', async () => {
      expect(await tls.test()).toEqual({ code: 0, output: expect.stringContaining('test is successful') });
    });

    it('redirects HTTP, keeping path and query', async () => {
      const { status, headers } = await rawRequest(`${tls.httpUrl}/docs?a=b`, {
        method: 'GET',
        headers: { host: 'chat.test' },
      });
      expect({ status, location: headers.location }).toEqual({
        status: 308,
        location: 'https://chat.test/docs?a=b',
      });
    });

    it('passes on that the request came by HTTPS, so that the API sends Strict-Transport-Security once', async () => {
      const { rawHeaders } = await rawRequest(`${tls.httpsUrl}/health`, { method: 'GET' });
      const names = rawHeaders.map((name) => name.toLowerCase());
      expect(names.filter((name) => name === 'strict-transport-security')).toHaveLength(1);
    });
  });

  it('answers 503 in the form of the API while the API is away', async () => {
    const away = await writeNginxConfiguration({
      program,
      mode: 'http',
      api: '127.0.0.1:9',
      maxUploadMb: MAX_UPLOAD_MB,
      batchMaxInputMb: MAX_UPLOAD_MB,
    });
    try {
      await away.start();
      const { status, headers, body } = await send(`${away.httpUrl}/health`);
      expect({ status, code: at(body, 'error', 'code') }).toEqual({
        status: 503,
        code: 'service_unavailable',
      });
      expect(headers.get('retry-after')).toBe('5');
    } finally {
      await away.remove();
    }
  });
});

function median(values: readonly number[]): number {
  return values.toSorted((one, other) => one - other)[Math.floor(values.length / 2)] ?? Number.NaN;
}

/** Sends bytes that no client library would, and returns everything that comes back. */
async function answerTo(url: string, bytes: string): Promise<string> {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  socket.write(bytes);
  return text(socket);
}

interface RawRequest {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly localAddress?: string;
}

interface RawResponse {
  readonly status: number | undefined;
  readonly headers: IncomingHttpHeaders;
  readonly rawHeaders: readonly string[];
}

/** Sends a request with a chosen source address, without following redirects or checking certificates. */
function rawRequest(url: string, { method = 'POST', body, ...options }: RawRequest): Promise<RawResponse> {
  const open = url.startsWith('https:') ? httpsRequest : httpRequest;
  return new Promise((resolve, reject) => {
    const request = open(url, { method, rejectUnauthorized: false, ...options }, (response) => {
      text(response).then(() => {
        resolve({ status: response.statusCode, headers: response.headers, rawHeaders: response.rawHeaders });
      }, reject);
    });
    request.once('error', reject);
    request.end(body);
  });
}
