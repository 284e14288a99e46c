import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { parse } from 'smol-toml';
import { PACKAGE_ROOT, SETTINGS } from '../../../src/config/index.js';
import { at, listAt } from '../../support/client.js';
import { shutdownSeconds } from '../../support/shutdown-time.js';
import { StubbedProject } from '../../support/stub-program.js';

const text = readFileSync(join(PACKAGE_ROOT, 'fly.toml'), 'utf8');
const file: unknown = parse(text);

describe('fly.toml', () => {
  test('has the processes app and worker, and applies migrations before either is replaced', () => {
    expect(at(file, 'processes')).toEqual({ app: 'node dist/main.js', worker: 'node dist/worker.js' });
    expect(at(file, 'deploy')).toMatchObject({
      release_command: 'node dist/migrate.js',
      strategy: 'rolling',
    });
  });

  test('gives every process more time to stop than it takes at most', () => {
    expect(at(file, 'kill_signal')).toBe('SIGTERM');
    expect(at(file, 'kill_timeout')).toBeGreaterThan(shutdownSeconds());
  });

  test('checks the readiness of both processes at the ports on which they listen', () => {
    const ready = { method: 'GET', path: '/health/ready' };
    expect(listAt(file, 'http_service', 'checks')).toEqual([expect.objectContaining(ready)]);
    expect(String(at(file, 'http_service', 'internal_port'))).toBe(at(file, 'env', 'PORT'));
    const worker = at(file, 'checks', 'worker');
    expect(worker).toMatchObject({ ...ready, type: 'http', processes: ['worker'] });
    expect(String(at(worker, 'port'))).toBe(at(file, 'env', 'WORKER_PORT'));
  });

  test('has no volume, because its app and worker machines share a bucket', () => {
    expect(at(file, 'mounts')).toBeUndefined();
    expect(at(file, 'env')).toMatchObject({
      S3_ENDPOINT: 'https://fly.storage.tigris.dev',
      S3_REGION: 'auto',
    });
    expect(text).toMatch(/^# {3}S3_BUCKET /m);
  });

  test('never stops the machine of the app by itself', () => {
    expect(at(file, 'http_service')).toMatchObject({
      processes: ['app'],
      force_https: true,
      auto_stop_machines: 'off',
      min_machines_running: 1,
    });
  });

  test('sets only settings that exist, and no secret', () => {
    // The endpoint counts as one because any URL may contain a password; the test above knows its value.
    const secrets = Object.entries(SETTINGS).flatMap(([name, { secret }]) =>
      secret && name !== 'S3_ENDPOINT' ? [name] : [],
    );
    const set = Object.keys(Object(at(file, 'env')) as object);
    // WORKER_PORT belongs to the process that this file starts; the table says whether it exists.
    const unknown = set.filter((name) => name !== 'WORKER_PORT' && !Object.hasOwn(SETTINGS, name));
    expect({ unknown, secret: set.filter((name) => secrets.includes(name)) }).toEqual({
      unknown: [],
      secret: [],
    });
  });

  test('lists every secret that scripts/deploy-fly requires', () => {
    const script = readFileSync(join(PACKAGE_ROOT, 'scripts', 'deploy-fly'), 'utf8');
    const required = /^required=\(([A-Z_ ]+)\)$/m.exec(script)?.[1]?.split(' ') ?? [];
    expect(required).toHaveLength(4);
    for (const name of required) expect(text).toMatch(new RegExp(`^# {3}${name} `, 'm'));
  });
});

/** Fly's command line as scripts/deploy-fly calls it. */
const FLY = `
case "$*" in
  'auth whoami') [ ! -e "$STATE/logged-out" ] ;;
  'secrets list '*) [ ! -e "$STATE/no-app" ] && cat "$STATE/secrets" ;;
  'volumes list '*) [ ! -e "$STATE/no-volumes" ] && cat "$STATE/volumes" ;;
  'deploy '*) [ ! -e "$STATE/deploy-fails" ] ;;
esac
`;

describe('scripts/deploy-fly', () => {
  let project: StubbedProject;

  const table = (...names: string[]): string =>
    ['NAME            \tDIGEST          ', ...names.map((name) => `${name} \t0123456789abcdef`)].join('\n');
  const secrets = ['DATABASE_URL', 'REDIS_URL', 'JWT_SECRET', 'ENCRYPTION_KEY'];
  const bucket = ['S3_BUCKET', 'AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY'];
  const mounts = `\n[[mounts]]\n  source = 'parley_data'\n  destination = '/data'\n`;
  const withoutWorker = text.replace(/^ {2}worker = .*\n/m, '');

  beforeEach(async () => {
    project = await StubbedProject.create('scripts/deploy-fly', 'fly.toml');
    await project.stub('fly', FLY);
    await project.setState('secrets', table(...secrets, ...bucket));
    await project.setState('volumes', 'vol_1\tcreated\tparley_data\t1GB\tfra\n');
  });

  /** Changes the project to one machine with a volume. */
  async function useVolume(configuration = withoutWorker + mounts): Promise<void> {
    await writeFile(join(project.folder, 'fly.toml'), configuration);
    await project.setState('secrets', table(...secrets));
  }

  afterEach(() => project.remove());

  test('deploys any number of machines over a bucket and prints the address', async () => {
    const { code, output } = await project.run('scripts/deploy-fly');
    expect(code).toBe(0);
    expect(output).toContain('https://parley.fly.dev');
    expect(await project.takeCalls()).toContain('fly deploy --app parley');
  });

  test('takes a bucket that fly.toml names, and a role in place of credentials', async () => {
    await writeFile(
      join(project.folder, 'fly.toml'),
      text.replace('[env]\n', "[env]\n  S3_BUCKET = 'acme-files'\n"),
    );
    await project.setState('secrets', table(...secrets, 'AWS_ROLE_ARN'));
    expect(await project.run('scripts/deploy-fly')).toMatchObject({ code: 0, errors: '' });
  });

  test('deploys one machine if files are on a volume', async () => {
    await useVolume();
    expect(await project.run('scripts/deploy-fly')).toMatchObject({ code: 0, errors: '' });
    expect(await project.takeCalls()).toContain('fly deploy --app parley --ha=false');
  });

  test('deploys nothing if files have no place, two places, or one that a worker cannot read', async () => {
    const refused = async (sentence: string): Promise<void> => {
      const { code, errors } = await project.run('scripts/deploy-fly');
      expect({ code, errors }).toEqual({ code: 1, errors: expect.stringContaining(sentence) });
      expect((await project.takeCalls()).join('\n')).not.toContain('fly deploy');
    };
    await writeFile(join(project.folder, 'fly.toml'), text + mounts);
    await refused('remove [[mounts]] from fly.toml');
    await useVolume(text + mounts);
    await refused('a worker machine cannot read files on a volume');
    await writeFile(join(project.folder, 'fly.toml'), text);
    await refused('run fly storage create --app parley');
    await project.setState('secrets', table(...secrets, 'S3_BUCKET'));
    await refused('nothing was deployed');
  });

  test('deploys another app that FLY_APP names', async () => {
    const { output } = await project.run('scripts/deploy-fly', [], { FLY_APP: 'acme-chat' });
    expect(output).toContain('https://acme-chat.fly.dev');
    expect(await project.takeCalls()).toContain('fly deploy --app acme-chat');
  });

  test('names the command for each missing secret and deploys nothing', async () => {
    await project.setState('secrets', table('DATABASE_URL', 'JWT_SECRET_PREVIOUS'));
    const { code, errors } = await project.run('scripts/deploy-fly');
    expect(code).toBe(1);
    expect(errors).toContain("fly secrets set --app parley --stage REDIS_URL='<the URL>'");
    expect(errors).toContain('fly secrets set --app parley --stage JWT_SECRET=$(openssl rand -hex 32)');
    expect(errors).toContain('ENCRYPTION_KEY=');
    expect(errors).not.toContain('DATABASE_URL=');
    expect((await project.takeCalls()).join('\n')).not.toContain('fly deploy');
  });

  test.each([
    ['logged-out', 'run fly auth login'],
    ['no-app', 'run fly apps create parley'],
    ['no-volumes', 'the volumes of parley cannot be listed'],
  ])('explains %s and deploys nothing', async (state, sentence) => {
    await useVolume();
    await project.setState(state);
    const { code, errors } = await project.run('scripts/deploy-fly');
    expect({ code, errors }).toEqual({ code: 1, errors: expect.stringContaining(sentence) });
    expect((await project.takeCalls()).join('\n')).not.toContain('fly deploy');
  });

  test('deploys nothing without the volume that fly.toml mounts', async () => {
    await useVolume();
    await project.setState('volumes', '');
    const { code, errors } = await project.run('scripts/deploy-fly');
    expect({ code, errors }).toEqual({
      code: 1,
      errors: expect.stringContaining('fly volumes create parley_data'),
    });
    expect((await project.takeCalls()).join('\n')).not.toContain('fly deploy');
  });

  test('finds the volume also at the beginning of a list that is longer than a pipe holds', async () => {
    await useVolume();
    const others = Array.from({ length: 20_000 }, (_none, index) => `vol_${index}\tcreated\tother\t1GB\tfra`);
    await project.setState('volumes', ['vol_1\tcreated\tparley_data\t1GB\tfra', ...others].join('\n'));
    expect(await project.run('scripts/deploy-fly')).toMatchObject({ code: 0, errors: '' });
  });

  test('fails if the deployment fails', async () => {
    await project.setState('deploy-fails');
    const { code, output } = await project.run('scripts/deploy-fly');
    expect(code).not.toBe(0);
    expect(output).not.toContain('Ready');
  });
});
