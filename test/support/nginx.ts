import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { PACKAGE_ROOT } from '../../src/config/index.js';
import { freePort } from './free-port.js';

const SOURCES = join(PACKAGE_ROOT, 'deploy', 'nginx');

/** Environment of nginx in Compose. */
export interface NginxOptions {
  readonly program: string;
  readonly mode: 'http' | 'tls';
  /** Host and port of the API. */
  readonly api: string;
  readonly maxUploadMb: number;
  readonly batchMaxInputMb: number;
}

/** The configuration of deploy/nginx in a folder, with the addresses of a test. */
export interface NginxConfiguration {
  readonly folder: string;
  readonly httpUrl: string;
  readonly httpsUrl: string;
  /** Address of the server for the health check. */
  readonly healthUrl: string;
  /** Runs `nginx -t` and returns its exit code and output. */
  test(): Promise<{ readonly code: number | null; readonly output: string }>;
  start(): Promise<void>;
  /** Returns everything that nginx has written: access log, error log and its own standard error. */
  logs(): Promise<string>;
  /** Ends nginx and removes the folder. */
  remove(): Promise<void>;
}

/** Writes the configuration as the image does: templates filled in, the other files as they are. */
export async function writeNginxConfiguration(options: NginxOptions): Promise<NginxConfiguration> {
  const folder = await mkdtemp(join(tmpdir(), 'parley-nginx-'));
  const [http, https, health] = await Promise.all([freePort(), freePort(), freePort()]);
  const addresses: readonly (readonly [string, string])[] = [
    ['/etc/nginx/', `${folder}/`],
    ['/dev/stdout', join(folder, 'access.log')],
    ['/dev/stderr', join(folder, 'error.log')],
    ['api:3000', options.api],
    ['listen 8080', `listen 127.0.0.1:${http}`],
    ['listen 8443', `listen 127.0.0.1:${https}`],
    ['listen 127.0.0.1:8081', `listen 127.0.0.1:${health}`],
  ];
  const variables = {
    NGINX_LOCAL_RESOLVERS: '127.0.0.1',
    NGINX_MAX_BODY_KB: await maxBodyKb(options),
  };
  const copy = async (source: string, target: string): Promise<void> => {
    let content = await readFile(join(SOURCES, source), 'utf8');
    if (source.endsWith('.template'))
      for (const [name, value] of Object.entries(variables))
        content = content.replaceAll(`\${${name}}`, value);
    for (const [from, to] of addresses) content = content.replaceAll(from, to);
    await writeFile(join(folder, target), content);
  };
  await mkdir(join(folder, 'certificates'));
  await copy('http-context.conf', 'http-context.conf');
  await copy(`${options.mode}.conf.template`, 'default.conf');
  await copy('parley.conf', 'parley.conf');
  await writeFile(join(folder, 'nginx.conf'), mainConfiguration(folder));

  const parameters = ['-p', folder, '-e', 'stderr', '-c', join(folder, 'nginx.conf')];
  let child: ChildProcess | undefined;
  let printed = '';
  return {
    folder,
    httpUrl: `http://127.0.0.1:${http}`,
    httpsUrl: `https://127.0.0.1:${https}`,
    healthUrl: `http://127.0.0.1:${health}`,
    test: async () => {
      const check = spawn(options.program, [...parameters, '-t'], { stdio: ['ignore', 'ignore', 'pipe'] });
      const [output] = await Promise.all([text(check.stderr), once(check, 'close')]);
      return { code: check.exitCode, output };
    },
    start: async () => {
      const server = spawn(options.program, parameters, { stdio: ['ignore', 'ignore', 'pipe'] });
      child = server;
      server.stderr.on('data', (piece: Buffer) => (printed += piece.toString()));
      // With `error_log … notice` nginx says when its workers have begun.
      for await (const line of createInterface({ input: server.stderr })) {
        if (line.includes('start worker process ')) break;
        if (line.includes('[emerg]')) throw new Error(line);
      }
      server.stderr.resume();
    },
    logs: async () => {
      const files = ['access.log', 'error.log'].map(async (name) => readFile(join(folder, name), 'utf8'));
      return [...(await Promise.all(files)), printed].join('\n');
    },
    remove: async () => {
      if (child?.exitCode === null) {
        const closed = once(child, 'close');
        child.kill('SIGTERM');
        await closed;
      }
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** Returns the body limit that the image computes before it fills in the templates. */
async function maxBodyKb({ maxUploadMb, batchMaxInputMb }: NginxOptions): Promise<string> {
  const script = `. ${join(SOURCES, 'body-limit.envsh')}; echo "$NGINX_MAX_BODY_KB"`;
  const env = { MAX_UPLOAD_MB: String(maxUploadMb), BATCH_MAX_INPUT_MB: String(batchMaxInputMb) };
  const shell = spawn('sh', ['-c', script], { env });
  const [output] = await Promise.all([text(shell.stdout), once(shell, 'close')]);
  return output.trim();
}

/** Returns a main file such as the image has, with all paths in the folder. */
function mainConfiguration(folder: string): string {
  const bodies = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (name) => `${name}_temp_path ${folder}/${name};`,
  );
  return `
    daemon off;
    worker_processes 1;
    pid ${folder}/nginx.pid;
    error_log stderr notice;
    events { worker_connections 1024; }
    http {
      default_type application/octet-stream;
      ${bodies.join(' ')}
      include ${folder}/http-context.conf;
      include ${folder}/default.conf;
    }
  `;
}
