import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readdir, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { planted } from './build.mjs';
import { exportLayers, findSecrets, gzipSize, sizeOf } from './layers.mjs';
import { run } from './programs.mjs';
import { freePort } from './stores.mjs';

/** Most that the layers above the base may have, uncompressed, in bytes. */
const layersLimit = 320e6;

/** Longest wait for a start, in milliseconds. */
const startLimitMs = 60_000;

const megabytes = (bytes) => `${(bytes / 1e6).toFixed(1)} MB`;

const secrets = {
  JWT_SECRET: randomBytes(32).toString('hex'),
  ENCRYPTION_KEY: randomBytes(32).toString('hex'),
};

/** Returns the environment that an operator sets. */
function environment({ databaseUrl }, more = {}) {
  return {
    ...secrets,
    DATABASE_URL: databaseUrl,
    AUTH_REGISTRATION: 'open',
    DEMO_TOKENS_PER_SECOND: '1000',
    ...more,
  };
}

async function request(url, path, { token, body, method = body === undefined ? 'GET' : 'POST' } = {}) {
  const isForm = body instanceof FormData;
  const response = await fetch(`${url}${path}`, {
    method,
    headers: {
      ...(token && { authorization: `Bearer ${token}` }),
      ...(body !== undefined && !isForm && { 'content-type': 'application/json' }),
    },
    body: body === undefined || isForm ? body : JSON.stringify(body),
  });
  const text = await response.text();
  assert.ok(response.ok, `${path} responded with ${response.status}: ${text}`);
  return text;
}

/** Registers an account, streams an answer of the demo model and uploads a file. */
async function useApi(url) {
  const account = {
    email: `user-${randomBytes(6).toString('hex')}@example.com`,
    password: 'a long password',
  };
  const { access_token: token } = JSON.parse(await request(url, '/api/v1/auth/register', { body: account }));
  const stream = await request(url, '/api/v1/chat/stream', { token, body: { message: 'Say: aardvark' } });
  assert.match(stream, /aardvark/);
  assert.match(stream, /\[DONE\]\s*$/);
  const body = new FormData();
  body.set('file', new Blob(['A file in the volume.'], { type: 'text/plain' }), 'note.txt');
  const { id } = JSON.parse(await request(url, '/api/v1/files', { token, body }));
  assert.equal(await request(url, `/api/v1/files/${id}/content`, { token }), 'A file in the volume.');
}

/** Waits until the HEALTHCHECK passes; an engine repeats it as well. */
async function waitUntilHealthy(image, container, options) {
  const deadline = performance.now() + startLimitMs;
  for (;;) {
    const { code, output } = await image.checkHealth(options);
    if (code === 0) return;
    assert.equal(container.child.exitCode, null, `The process ended at the start:\n${container.output}`);
    assert.ok(performance.now() < deadline, `${output}\n${container.output}`);
  }
}

/** Starts the API, uses it, and stops it. */
async function runApi(context, { user, readOnly }) {
  const { image } = context;
  const port = await freePort();
  const env = environment(context, { PORT: port });
  const options = { env, user, readOnly, volume: await image.createVolume() };
  assert.equal((await image.checkHealth(options)).code, 1, 'The HEALTHCHECK passes before the start.');
  const container = image.start(options);
  await waitUntilHealthy(image, container, options);
  const url = `http://127.0.0.1:${port}`;
  assert.match(await request(url, '/health'), /"database":"ok"/);
  await useApi(url);
  const owner = await stat(join(options.volume, 'files'));
  assert.equal(owner.uid, Number((user ?? image.config.User).split(':')[0]));
  const { code, ms } = await container.stop(image.config.StopSignal);
  assert.equal(code, 0, `SIGTERM ended the API with ${code}:\n${container.output}`);
  return `SIGTERM to exit 0: ${(ms / 1000).toFixed(1)} s`;
}

/** Lists the files of a folder that are newer than a file, without those of other file systems. */
async function writtenSince(folder, stamp) {
  const { stdout } = await run('find', [folder, '-xdev', '-newercm', stamp, '!', '-type', 'd']);
  return stdout.split('\n').filter(Boolean);
}

async function checkSettings({ image: { config } }) {
  const env = Object.fromEntries(config.Env.map((line) => line.split(/=(.*)/s)));
  assert.equal(env.NODE_ENV, 'production');
  assert.equal(env.HOST, '0.0.0.0');
  assert.equal(env.DATA_DIR, '/data');
  assert.equal(config.User, '1000');
  assert.equal(config.StopSignal, 'SIGTERM');
  assert.deepEqual(config.Cmd, ['node', 'dist/main.js']);
  assert.deepEqual(config.Entrypoint ?? [], [], 'An ENTRYPOINT is in the way of the commands.');
  assert.deepEqual(config.Volumes, { '/data': {} });
  assert.equal(config.Healthcheck.Test[0], 'CMD');
  for (const label of ['title', 'description', 'licenses', 'version', 'revision'])
    assert.ok(config.Labels[`org.opencontainers.image.${label}`], `The label ${label} is missing.`);
}

async function checkLayers({ storage, name, folder }) {
  const exported = await exportLayers(storage, name, folder);
  assert.deepEqual(await findSecrets(exported, [planted]), []);
  const [base, ...own] = await Promise.all(
    exported.layers.map(async (file) => ({ size: await sizeOf(file), compressed: await gzipSize(file) })),
  );
  const sum = (layers, key) => layers.reduce((total, layer) => total + layer[key], 0);
  assert.ok(sum(own, 'size') <= layersLimit, `The layers have ${megabytes(sum(own, 'size'))}.`);
  return [
    `base ${megabytes(base.size)}`,
    `layers ${megabytes(sum(own, 'size'))}`,
    `compressed ${megabytes(base.compressed)} + ${megabytes(sum(own, 'compressed'))}`,
  ].join(', ');
}

/** Runs a command as buildah does, with the settings of the image. */
async function checkMigrate(context) {
  const { storage, container, image } = context;
  const command = ['node', 'dist/migrate.js'];
  const variables = Object.entries(environment(context)).flatMap(([key, value]) => [
    '--env',
    `${key}=${value}`,
  ]);
  const { stdout } = await storage.buildah(
    'run',
    '--isolation',
    'chroot',
    ...variables,
    container,
    '--',
    ...command,
  );
  assert.match(stdout, /Applying \d+ migrations/);
  assert.match(stdout, /The database has all migrations/);

  const volume = await image.createVolume();
  const again = await image.run({ command, env: environment(context), volume, readOnly: true });
  assert.equal(again.code, 0, again.output);
  assert.doesNotMatch(again.output, /Applying/);
  const nowhere = { ...environment(context), DATABASE_URL: 'postgresql://nobody:wrong@127.0.0.1:1/none' };
  const refused = image.start({ command, env: nowhere, volume });
  await refused.printed('Waiting for the database');
  assert.equal((await refused.stop('SIGTERM')).code, 0);
}

async function checkAdmin(context) {
  const { image } = context;
  const command = ['node', 'dist/admin.js', 'you@example.com'];
  const options = { command, env: environment(context), volume: await image.createVolume(), readOnly: true };
  const { code, output } = await image.run(options);
  assert.equal(code, 0, output);
  assert.match(output, /you@example.com is an admin. The password, shown only once: /);
}

async function checkNoDatabase({ image }) {
  const { code, output } = await image.run({ env: secrets, volume: await image.createVolume() });
  assert.equal(code, 1, output);
  assert.match(output, /no embedded PostgreSQL .* Set DATABASE_URL/);
  assert.doesNotMatch(output, / {4}at /);
}

async function checkWorker(context) {
  const { image, redisUrl } = context;
  if (redisUrl === undefined) return 'SKIPPED: this machine has no redis-server';
  const { SETTINGS } = await import('../../dist/config/index.js');
  const listens = 'WORKER_PORT' in SETTINGS;
  const env = environment(context, {
    REDIS_URL: redisUrl,
    PORT: await freePort(),
    WORKER_PORT: await freePort(),
  });
  const options = { env, volume: await image.createVolume(), readOnly: true, user: '12345:0' };
  const container = image.start({ ...options, command: ['node', 'dist/worker.js'] });
  await container.printed('running jobs from Redis');
  if (listens) await waitUntilHealthy(image, container, options);
  const { code } = await container.stop(image.config.StopSignal);
  assert.equal(code, 0, container.output);
  return listens ? undefined : 'SKIPPED: its health check, because the worker has no port';
}

async function checkWrites(context) {
  const { image, root, folder } = context;
  const stamp = join(folder, 'stamp');
  await writeFile(stamp, '');
  await utimes(stamp, new Date(), new Date());
  const remark = await runApi(context, { readOnly: false });
  assert.deepEqual(await writtenSince(root, stamp), []);
  assert.ok((await readdir(join(root, 'app'))).includes('dist'));
  assert.ok(image.config.Volumes);
  return remark;
}

/** The checks in their order, which begins with an empty database. */
export const checks = [
  ['settings of the image', checkSettings],
  ['layers and secrets', checkLayers],
  ['no DATABASE_URL', checkNoDatabase],
  ['migrate', checkMigrate],
  ['admin', checkAdmin],
  ['API, which writes only to its volume', checkWrites],
  ['API on a read-only root', (context) => runApi(context, { readOnly: true })],
  ['API on a read-only root as 12345:0', (context) => runApi(context, { readOnly: true, user: '12345:0' })],
  ['worker', checkWorker],
];
