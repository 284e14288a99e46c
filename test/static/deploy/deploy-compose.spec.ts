import { chmod, mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { parseEnv } from 'node:util';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { type ScriptResult, StubbedProject } from '../../support/stub-program.js';

/** Docker as scripts/deploy-compose calls it; the files of `$STATE` say what happens. */
const DOCKER = `
case "$*" in
  'compose version') [ ! -e "$STATE/no-compose" ] ;;
  info) [ ! -e "$STATE/no-engine" ] ;;
  'volume ls --quiet')
    if [ -e "$STATE/no-engine" ]; then echo 'no engine' >&2; exit 1; fi
    echo other_postgres
    if [ -e "$STATE/volume" ]; then echo parley_postgres; fi ;;
  *' config --quiet') ;;
  *' config --services') printf '%s\\n' check-secrets postgres redis migrate api worker ;;
  *' up '*)
    if [ -e "$STATE/hangs" ]; then exec sleep 600; fi
    if [ -e "$STATE/up-fails" ]; then echo 'dependency failed to start' >&2; exit 1; fi
    touch "$STATE/started" ;;
  *' ps --all --quiet') if [ -e "$STATE/started" ]; then echo id-1; echo id-2; fi ;;
  inspect*) cat "$STATE/containers" ;;
  *' logs '*) echo 'api-1  | a line of the log' ;;
  *' port api 3000') echo 127.0.0.1:3000 ;;
  *' port nginx 8080') [ -e "$STATE/nginx" ] && echo 0.0.0.0:80 ;;
  *' port '*) exit 1 ;;
esac
`;

const HEALTHY = [
  'check-secrets exited - 0 False',
  'postgres running healthy 0 False',
  'redis running healthy 0 False',
  'migrate exited - 0 False',
  'api running healthy 0 False',
  'worker running healthy 0 False',
].join('\n');

const SECRETS = [
  'POSTGRES_PASSWORD',
  'REDIS_PASSWORD',
  'JWT_SECRET',
  'ENCRYPTION_KEY',
  'METRICS_TOKEN',
  'GRAFANA_ADMIN_PASSWORD',
];

describe('scripts/deploy-compose', () => {
  let project: StubbedProject;

  beforeEach(async () => {
    project = await StubbedProject.create('scripts/deploy-compose', 'deploy/compose/check-secrets');
    await project.stub('docker', DOCKER);
    await project.setState('containers', `${HEALTHY}\n`);
  });

  afterEach(() => project.remove());

  const envFile = () => join(project.folder, '.env');
  const deploy = (...parameters: string[]): Promise<ScriptResult> =>
    project.run('scripts/deploy-compose', parameters);

  test('writes secrets that only the owner may read, builds, starts, waits and prints the addresses', async () => {
    const { code, output, errors } = await deploy();
    expect({ code, errors }).toEqual({ code: 0, errors: '' });
    expect(output).toContain('http://127.0.0.1:3000');
    expect(output).not.toContain('nginx');
    expect(output).toContain('docker compose run --rm api node dist/admin.js you@example.com');
    expect((await stat(envFile())).mode & 0o777).toBe(0o600);
    const written = parseEnv(await readFile(envFile(), 'utf8'));
    expect(Object.keys(written).toSorted()).toEqual(SECRETS.toSorted());
    for (const value of Object.values(written)) {
      expect(value).toMatch(/^[0-9a-f]{64}$/);
      expect(output).not.toContain(value);
    }
    expect(new Set(Object.values(written)).size).toBe(SECRETS.length);
    const calls = await project.takeCalls();
    const order = ['config --quiet', 'build --quiet', 'pull ', 'up --detach'].map((part) =>
      calls.findIndex((call) => call.startsWith(`docker compose ${part}`)),
    );
    expect(order).toEqual(order.toSorted((one, other) => one - other));
    expect(order).not.toContain(-1);
  });

  test('changes nothing in .env the second time', async () => {
    expect((await deploy()).code).toBe(0);
    const before = await readFile(envFile(), 'utf8');
    await project.setState('volume');
    expect((await deploy()).code).toBe(0);
    expect(await readFile(envFile(), 'utf8')).toBe(before);
  });

  test('keeps the lines of .env, fills in what is empty, and takes back rights of others', async () => {
    const kept = 'OPENAI_API_KEY=sk-1\n# a comment\nexport JWT_SECRET="Kq3vX8rTz1mYw6BnJd5hGs0aPf4cLe9uRi7o"';
    await writeFile(envFile(), `POSTGRES_PASSWORD=\nREDIS_PASSWORD=""\n${kept}`);
    await chmod(envFile(), 0o644);
    const { code, output } = await deploy('--secrets');
    expect(code).toBe(0);
    expect(output).not.toContain('JWT_SECRET');
    const text = await readFile(envFile(), 'utf8');
    expect(text.startsWith(`${kept}\n`)).toBe(true);
    expect(parseEnv(text)).toMatchObject({
      JWT_SECRET: 'Kq3vX8rTz1mYw6BnJd5hGs0aPf4cLe9uRi7o',
      POSTGRES_PASSWORD: expect.stringMatching(/^[0-9a-f]{64}$/),
      REDIS_PASSWORD: expect.stringMatching(/^[0-9a-f]{64}$/),
    });
    expect((await stat(envFile())).mode & 0o777).toBe(0o600);
  });

  test('makes no new password for a database that exists, because it would not fit', async () => {
    await project.setState('volume');
    const { code, errors } = await deploy();
    expect(code).toBe(1);
    expect(errors).toContain('the database of an earlier start exists, but .env has no POSTGRES_PASSWORD');
    await expect(stat(envFile())).rejects.toThrow('ENOENT');
    expect((await project.takeCalls()).join('\n')).not.toContain(' up ');
  });

  test('makes the files that containers read readable for them, but not the key of a certificate', async () => {
    const [folder, script] = ['deploy/compose', 'deploy/compose/check-secrets'];
    const key = 'deploy/nginx/certificates/privkey.pem';
    await mkdir(dirname(join(project.folder, key)), { recursive: true });
    await writeFile(join(project.folder, key), 'none', { mode: 0o600 });
    await chmod(join(project.folder, script), 0o700);
    await chmod(join(project.folder, folder), 0o700);
    expect((await deploy('--secrets')).code).toBe(0);
    const modes = [folder, script, key].map(
      async (path) => (await stat(join(project.folder, path))).mode & 0o777,
    );
    expect(await Promise.all(modes)).toEqual([0o755, 0o755, 0o600]);
  });

  test('takes a secret of the shell into .env, and refuses one that contradicts .env', async () => {
    const METRICS_TOKEN = 'Tn4kQ8wZr2yXv6mBc5Hd9Jf3Lg7Pq1Rs';
    expect((await project.run('scripts/deploy-compose', ['--secrets'], { METRICS_TOKEN })).code).toBe(0);
    expect(parseEnv(await readFile(envFile(), 'utf8'))).toMatchObject({ METRICS_TOKEN });
    const other = { METRICS_TOKEN: 'another-token-of-enough-length-1234' };
    const { code, errors } = await project.run('scripts/deploy-compose', ['--secrets'], other);
    expect({ code, errors }).toEqual({ code: 1, errors: expect.stringContaining('run unset METRICS_TOKEN') });
  });

  test('refuses a placeholder with a sentence before it calls Docker', async () => {
    await writeFile(envFile(), 'POSTGRES_PASSWORD=please-change-me-now\n');
    const { code, errors } = await deploy();
    expect(code).toBe(1);
    expect(errors).toContain('POSTGRES_PASSWORD is a placeholder');
    expect((await project.takeCalls()).join('\n')).not.toMatch(/build|up /);
  });

  test('refuses to publish the API itself while it trusts a proxy that may not be there', async () => {
    await writeFile(envFile(), 'API_BIND=0.0.0.0\n');
    const { code, errors } = await deploy();
    expect({ code, errors }).toEqual({ code: 1, errors: expect.stringContaining('set TRUST_PROXY=false') });
    await writeFile(envFile(), 'API_BIND=0.0.0.0\nTRUST_PROXY=false\n');
    expect((await deploy()).code).toBe(0);
  });

  test.each([
    ['no-compose', 'docker has no Compose plugin'],
    ['no-engine', 'the Docker engine does not respond'],
  ])('explains %s and writes nothing', async (state, sentence) => {
    await project.setState(state);
    const { code, errors } = await deploy();
    expect({ code, errors }).toEqual({ code: 1, errors: expect.stringContaining(sentence) });
    await expect(stat(envFile())).rejects.toThrow('ENOENT');
  });

  test('passes profiles on and prints the addresses of their services', async () => {
    await project.setState('nginx');
    const { code, output } = await deploy('--profile', 'nginx', '--profile', 'monitoring');
    expect(code).toBe(0);
    expect(output).toContain('http://127.0.0.1:80');
    expect(await project.takeCalls()).toContain(
      'docker compose --profile nginx --profile monitoring up --detach --remove-orphans',
    );
  });

  test.each([
    ['api running starting 0 False', 'api (running, starting)'],
    ['worker restarting unhealthy 1 False', 'worker (restarting, unhealthy)'],
    ['migrate exited - 1 False', 'migrate (exited, -)'],
  ])('fails with the logs if a service is not ready in time: %s', async (state, named) => {
    await project.setState('containers', `${HEALTHY}\n${state}\n`);
    // The first look at the containers may come after seconds on a busy machine.
    const { code, errors } = await deploy('--timeout', '6');
    expect(code).toBe(1);
    expect(errors).toContain(`not ready after 6 s: ${named}`);
    expect(errors).toContain('a line of the log');
  });

  test.each([
    ['a container that docker compose run left behind', 'api exited - 137 True'],
    ['a service that the file no longer has', 'mailer exited - 1 False'],
    ['a service whose profile is not chosen', 'nginx exited - 1 False'],
  ])('does not wait for %s', async (_what, state) => {
    await project.setState('containers', `${HEALTHY}\n${state}\n`);
    // The first look at the containers may come after seconds on a busy machine.
    expect(await deploy('--timeout', '15')).toMatchObject({ code: 0, errors: '' });
  });

  test('makes no secrets if Docker cannot say whether a database exists', async () => {
    await project.setState('no-engine');
    const { code, errors } = await deploy('--secrets');
    expect(code).toBe(1);
    expect(errors).toContain('Docker cannot be asked whether the database of an earlier start exists');
    await expect(stat(envFile())).rejects.toThrow('ENOENT');
  });

  test('fails with the logs if the start hangs, and ends it', async () => {
    await project.setState('hangs');
    const { code, errors } = await deploy('--timeout', '1');
    expect(code).toBe(1);
    expect(errors).toContain('not ready after 1 s: no container yet');
    expect(errors).toContain('a line of the log');
    // The result waits until all processes that could still write have ended, so a start that is not ended would
    // hold up this test beyond its time.
  });

  test('fails with the logs at once if the start fails', async () => {
    await project.setState('up-fails');
    const { code, errors } = await deploy();
    expect(code).toBe(1);
    expect(errors).toContain('dependency failed to start');
    expect(errors).toContain('a line of the log');
  });

  test('waits 60 seconds by default, and refuses unknown options', async () => {
    expect((await deploy('--help')).output).toMatch(/--timeout SECONDS .*\(60\)/);
    for (const parameters of [['--timeout', 'soon'], ['--timeout'], ['--anything']])
      expect((await deploy(...parameters)).code).toBe(1);
    await rm(envFile(), { force: true });
    expect((await deploy()).output).toContain('up to 60 s');
  });
});
