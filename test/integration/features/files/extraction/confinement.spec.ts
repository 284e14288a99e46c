// A process with the Node options of those that extract text, and the built modules that take network and threads from it.
import { spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { extractionNodeOptions } from '../../../../../src/features/files/extraction/extraction-node-options.js';

const ROOT = join(import.meta.dirname, '../../../../..');
const MODULES = pathToFileURL(join(ROOT, 'dist/features/files/extraction/')).href;

/** Attempts to reach outside, by their names; each is an expression that throws or rejects if it is refused. */
const ATTEMPTS: readonly (readonly [name: string, code: string])[] = [
  ['read a file of the system', "fs.readFileSync('/etc/passwd', 'utf8')"],
  ['read a folder of the system', "fs.readdirSync('/etc')"],
  ['read its environment in /proc', "fs.readFileSync('/proc/self/environ')"],
  ['read a source beside the program', `fs.readFileSync(${JSON.stringify(join(ROOT, 'tsconfig.json'))})`],
  [
    'read a file of the system in a thread',
    `await new Promise((resolve, reject) => new Worker("require('fs').readFileSync('/etc/passwd')", { eval: true, execArgv: [] }).on('error', reject).on('exit', resolve))`,
  ],
  ['write a file', "fs.writeFileSync('/tmp/parley-confinement', 'x')"],
  ['write beside the program', `fs.writeFileSync(${JSON.stringify(join(ROOT, 'dist/x.js'))}, '')`],
  ['start a process', "childProcess.execFileSync('/bin/true')"],
  ['evaluate a string', "new Function('return 1')()"],
  ['connect', "await once(net.connect(PORT, '127.0.0.1'), 'connect')"],
  ['send an HTTP request', "await once(http.get('http://127.0.0.1:PORT/'), 'response')"],
  ['fetch', "await fetch('http://127.0.0.1:PORT/')"],
  ['open a WebSocket', "await once(new WebSocket('ws://127.0.0.1:PORT/'), 'open')"],
  ['listen', "await once(net.createServer().listen(0, '127.0.0.1'), 'listening')"],
  [
    'send a datagram',
    "await new Promise((resolve, reject) => dgram.createSocket('udp4').send('x', PORT, '127.0.0.1', (error) => error ? reject(error) : resolve()))",
  ],
];

jest.setTimeout(60_000);

describe('a process for text extraction', () => {
  const server = createServer((socket) => socket.on('error', () => undefined).end('HTTP/1.1 204 -\r\n\r\n'));
  const datagrams = createSocket('udp4');
  let connections = 0;
  let received = 0;
  let port = 0;
  /** Outcome of each attempt: `done`, or the name or code of its error. */
  const outcomes = new Map<string, string>();

  beforeAll(async () => {
    server.on('connection', () => (connections += 1));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    if (address !== null && typeof address !== 'string') ({ port } = address);
    datagrams.on('message', () => (received += 1));
    datagrams.bind(port, '127.0.0.1');
    await once(datagrams, 'listening');
    const attempts = ATTEMPTS.map(
      ([name, code]) =>
        `try { ${code.replaceAll('PORT', String(port))}; report(${JSON.stringify(name)}, 'done'); }
         catch (error) { report(${JSON.stringify(name)}, error.code ?? error.message ?? String(error)); }`,
    );
    const program = `
      import fs from 'node:fs'; import net from 'node:net'; import http from 'node:http'; import dgram from 'node:dgram';
      import childProcess from 'node:child_process'; import { once } from 'node:events';
      import { Worker } from 'node:worker_threads';
      const { forbidNetwork } = await import('${MODULES}forbid-network.js');
      const { forbidThreads } = await import('${MODULES}forbid-threads.js');
      const report = (...line) => console.log(JSON.stringify(line));
      report('read its own program', fs.readFileSync(new URL('${MODULES}forbid-network.js')).length > 0 ? 'done' : 'empty');
      forbidNetwork();
      forbidThreads();
      ${attempts.join('\n')}
      process.exit();`;
    const child = spawn(
      process.execPath,
      [...extractionNodeOptions(200 * 2 ** 20), '--input-type=module', '--eval', program],
      { env: {}, cwd: ROOT, stdio: ['ignore', 'pipe', 'ignore'] },
    );
    for (const line of (await text(child.stdout)).trim().split('\n')) {
      const [name, outcome]: readonly unknown[] = JSON.parse(line) as readonly unknown[];
      outcomes.set(String(name), String(outcome));
    }
  });

  afterAll(async () => {
    server.close();
    await once(server, 'close');
    datagrams.close();
  });

  it('can read its own program', () => {
    expect(outcomes.get('read its own program')).toBe('done');
  });

  it.each(ATTEMPTS)('cannot %s', (name) => {
    expect(outcomes.get(name)).toMatch(
      /ERR_ACCESS_DENIED|no network|no threads|Code generation from strings/,
    );
  });

  it('has reached no server', () => {
    expect({ connections, received }).toEqual({ connections: 0, received: 0 });
  });
});
