import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer, request as httpRequest, type RequestListener, type Server } from 'node:http';
import { connect } from 'node:net';
import { afterEach, describe, expect, test } from '@jest/globals';
import { createLogger, requestLogging } from './logging.js';

class QuotingError extends Error {}

let server: Server | undefined;
let lines: string[] = [];

afterEach(async () => {
  lines = [];
  if (server === undefined) return;
  server.closeAllConnections();
  server.close();
  await once(server, 'close');
  server = undefined;
});

const destination = { write: (line: string) => void lines.push(line) };
const logged = (): unknown[] => lines.map((line) => JSON.parse(line) as unknown);

/** Starts a server whose requests are logged. */
async function listen(answer: RequestListener, level = 'trace'): Promise<number> {
  const logger = createLogger({ level, readable: false, destination });
  const log = requestLogging(
    logger,
    () => 'the-id',
    () => ({ route: '/the-route' }),
  );
  server = createServer((request, response) => {
    log(request, response);
    answer(request, response);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('The server does not listen.');
  return address.port;
}

describe('the logger', () => {
  test('writes one JSON line without process id and host', () => {
    createLogger({ level: 'info', readable: false, destination }).info('hello');
    expect(logged()).toEqual([{ level: 30, time: expect.any(Number), msg: 'hello' }]);
    expect(lines[0]).toMatch(/\n$/);
  });

  test('omits lines below its level', () => {
    const logger = createLogger({ level: 'warn', readable: false, destination });
    logger.info('no');
    logger.warn('yes');
    expect(lines).toHaveLength(1);
  });

  test.each([
    'password',
    'authorization',
    'api_key',
    'apiKey',
    'access_token',
    'token',
    'secret',
    'content',
    'prompt',
  ])('redacts %s at the top level and in a nested object', (name) => {
    createLogger({ level: 'info', readable: false, destination }).info({
      [name]: 'the value',
      inner: { [name]: 'the value', other: 'seen' },
    });
    expect(logged()).toEqual([
      expect.objectContaining({ [name]: '[redacted]', inner: { [name]: '[redacted]', other: 'seen' } }),
    ]);
  });

  test('omits the message of a library’s error', () => {
    const logger = createLogger({ level: 'info', readable: false, destination });
    const error = new QuotingError('the value');
    logger.error({ err: error });
    logger.error(error);
    logger.error({ err: error }, 'what happened');
    logger.child({ more: 1 }).error(error, 'what %s', 'happened');
    expect(logged()).toEqual(
      ['unexpected error', 'unexpected error', 'what happened', 'what happened'].map((msg) =>
        expect.objectContaining({ msg, err: expect.objectContaining({ name: 'QuotingError' }) }),
      ),
    );
    expect(lines.join('')).not.toContain('the value');
  });
});

describe('the request log', () => {
  test.each([
    [200, '/path?token=the-value', 'info', 30],
    [404, '/path', 'info', 30],
    [503, '/path', 'error', 50],
    [500, '/path', 'error', 50],
    [200, '/health/live', 'debug', 20],
    [200, '/metrics', 'debug', 20],
    [404, '/metrics-of-another-kind', 'info', 30],
    [503, '/health/ready', 'warn', 40],
  ])('logs status %i for %s at level %s', async (status, path, _level, level) => {
    const port = await listen((_request, response) => {
      response.writeHead(status).end();
    });
    await fetch(`http://127.0.0.1:${String(port)}${path}`, { headers: { authorization: 'the-value' } });
    const [bare = ''] = path.split('?');
    expect(logged()).toEqual([
      {
        level,
        time: expect.any(Number),
        req: { id: 'the-id', method: 'GET', path: bare },
        res: { status },
        responseTime: expect.any(Number),
        route: '/the-route',
        msg: expect.stringContaining(`GET ${bare} ${String(status)}`),
      },
    ]);
  });

  test('omits a request below the log level', async () => {
    const port = await listen((request, response) => {
      response.writeHead(request.url === '/broken' ? 500 : 200).end();
    }, 'warn');
    for (const path of ['/path', '/broken'])
      await fetch(`http://127.0.0.1:${String(port)}${path}`, { headers: { connection: 'close' } });
    expect(logged()).toEqual([expect.objectContaining({ level: 50 })]);
  });

  test('writes one line although the response both fails and closes', async () => {
    const closed = Promise.withResolvers<undefined>();
    const port = await listen((_request, response) => {
      response.once('close', () => closed.resolve(undefined));
      response.end();
      response.write('too late');
    });
    await fetch(`http://127.0.0.1:${String(port)}/path`);
    await closed.promise;
    expect(logged()).toHaveLength(1);
  });

  test('redacts secrets in the path, such as that of a shared conversation', async () => {
    const port = await listen((_request, response) => response.end());
    await fetch(`http://127.0.0.1:${String(port)}/share/${'s'.repeat(43)}/messages?a=1?b=2`);
    expect(logged()).toEqual([
      expect.objectContaining({ req: expect.objectContaining({ path: '/share/[redacted]/messages' }) }),
    ]);
  });

  test.each([
    ['http://ada:hunter2@example.com/v1/models', '/v1/models'],
    ['/v1/models;password=hunter2', '/v1/models'],
    ['/v1/models#hunter2', '/v1/models'],
    [`/api/v1/shared/${'s'.repeat(39)}`, '/api/v1/shared/[redacted]'],
    [`/api/v1/files/${randomUUID()}`, expect.stringMatching(/^\/api\/v1\/files\/[\da-f-]{36}$/)],
  ])('logs no part of the request target %s besides the path', async (target, path) => {
    const port = await listen((_request, response) => response.end());
    const socket = connect(port, '127.0.0.1');
    socket.write(`GET ${target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`);
    socket.resume();
    await once(socket, 'close');
    expect(logged()).toEqual([expect.objectContaining({ req: expect.objectContaining({ path }) })]);
  });

  test('reports that the client disconnected before the end', async () => {
    const arrived = Promise.withResolvers<undefined>();
    const closed = Promise.withResolvers<undefined>();
    const port = await listen((_request, response) => {
      response.write('half');
      response.once('close', () => closed.resolve(undefined));
      arrived.resolve(undefined);
    });
    const client = httpRequest({ port, host: '127.0.0.1', path: '/path' });
    client.on('error', () => undefined);
    client.end();
    await arrived.promise;
    client.destroy();
    await closed.promise;
    expect(logged()).toEqual([
      expect.objectContaining({
        msg: expect.stringMatching(/^GET \/path 200, closed by the client \d+ ms$/),
      }),
    ]);
  });
});
