import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from '@jest/globals';
import { PACKAGE_ROOT, SETTINGS } from '../../../src/config/index.js';
import { at } from '../../support/client.js';
import {
  COMPOSE_FILE,
  COMPOSE_SECRETS,
  composeService,
  composeServices,
  servicesOf,
} from '../../support/compose-file.js';
import { describeWithProgram, DOCKER_COMPOSE, findProgram } from '../../support/debian-program.js';
import { shutdownSeconds } from '../../support/shutdown-time.js';

const composeProgram = await findProgram(DOCKER_COMPOSE);

const services = composeServices();

describe('docker-compose.yml', () => {
  test.each(['api', 'worker', 'migrate'])('gives every setting to %s or passes it on', (name) => {
    const given = Object.keys(Object(at(composeService(name), 'environment')) as object);
    expect(Object.keys(SETTINGS).filter((setting) => !given.includes(setting))).toEqual([]);
  });

  test('starts api and worker only after the migrations, and these only after the database', () => {
    for (const name of ['api', 'worker']) {
      expect(at(composeService(name), 'depends_on')).toEqual({
        migrate: { condition: 'service_completed_successfully' },
        postgres: { condition: 'service_healthy' },
        redis: { condition: 'service_healthy' },
      });
    }
    expect(at(composeService('migrate'), 'depends_on')).toEqual({
      postgres: { condition: 'service_healthy' },
    });
    for (const name of ['postgres', 'redis'])
      expect(at(composeService(name), 'depends_on', 'check-secrets', 'condition')).toBe(
        'service_completed_successfully',
      );
  });

  test('gives every process of Parley more time to stop than it takes at most', () => {
    for (const name of ['api', 'worker']) {
      const seconds = /^(\d+)s$/.exec(String(at(composeService(name), 'stop_grace_period')))?.[1];
      expect(Number(seconds)).toBeGreaterThan(shutdownSeconds());
    }
  });

  test('publishes neither PostgreSQL nor Redis, and everything but nginx on the loopback address only', () => {
    for (const [name, description] of services) {
      const ports = at(description, 'ports');
      if (name === 'postgres' || name === 'redis') {
        expect({ name, ports, networks: at(description, 'networks') }).toEqual({
          name,
          ports: undefined,
          networks: ['backend'],
        });
      } else if (name !== 'nginx' && Array.isArray(ports)) {
        for (const port of ports as unknown[])
          expect({ name, port }).toEqual({
            name,
            port: expect.stringMatching(/^(\$\{API_BIND:-)?127\.0\.0\.1/),
          });
      }
    }
  });

  test('builds its image in one service, which every other service with that image waits for', () => {
    const builders = [...services].filter(([, description]) => at(description, 'build') !== undefined);
    const [builder, built] = builders[0] ?? [];
    const others = [...services].filter(
      ([name, description]) => name !== builder && at(description, 'image') === at(built, 'image'),
    );
    expect({ builders: builders.length, others: others.map(([name]) => name) }).toEqual({
      builders: 1,
      others: ['api', 'worker'],
    });
    for (const [name, description] of others)
      expect({
        name,
        pulls: at(description, 'pull_policy'),
        waits: at(description, 'depends_on', String(builder), 'condition'),
      }).toEqual({ name, pulls: 'never', waits: 'service_completed_successfully' });
  });

  test('pins the version of every image that it does not build', () => {
    for (const [name, description] of services) {
      if (at(description, 'build') !== undefined || at(description, 'pull_policy') === 'never') continue;
      expect({ name, image: at(description, 'image') }).toEqual({
        name,
        image: expect.stringMatching(/^[\w./-]+:v?\d+\.\d+\.\d+[\w.-]*$/),
      });
    }
  });

  test('bounds the memory, the processes and the logs of every service', () => {
    for (const [name, description] of services) {
      expect({
        name,
        memory: at(description, 'mem_limit'),
        processes: at(description, 'pids_limit'),
      }).toEqual({ name, memory: expect.stringMatching(/\d+[mg]\}?$/), processes: expect.any(Number) });
      expect({ name, size: at(description, 'logging', 'options', 'max-size') }).toEqual({
        name,
        size: '10m',
      });
    }
  });

  test('has a health check and a restart policy for every service that stays', () => {
    for (const [name, description] of services) {
      const once = name === 'migrate' || name === 'check-secrets';
      expect({ name, restart: at(description, 'restart') }).toEqual({
        name,
        restart: once ? 'no' : 'unless-stopped',
      });
      if (!once)
        expect({ name, test: at(description, 'healthcheck', 'test') }).toEqual({
          name,
          test: expect.any(Array),
        });
    }
  });
});

describe('deploy/compose/check-secrets', () => {
  const check = (environment: Readonly<Record<string, string>>) => {
    const { PATH = '' } = process.env;
    const { status, stderr } = spawnSync('sh', [join(PACKAGE_ROOT, 'deploy/compose/check-secrets')], {
      env: { PATH, ...environment },
      encoding: 'utf8',
    });
    return { status, said: stderr.trim().split('\n') };
  };

  test('accepts random secrets', () => {
    expect(check(COMPOSE_SECRETS)).toEqual({ status: 0, said: [''] });
  });

  test('names every secret that is empty', () => {
    const { status, said } = check({});
    expect(status).toBe(1);
    expect(said.map((line) => line.split(' ')[0])).toEqual(Object.keys(COMPOSE_SECRETS));
    for (const line of said)
      expect(line).toMatch(/ is empty: scripts\/deploy-compose --secrets generates it\.$/);
  });

  test.each([
    ['POSTGRES_PASSWORD', 'please-change-me-now', /is a placeholder/],
    ['REDIS_PASSWORD', 'my-example-password', /is a placeholder/],
    ['JWT_SECRET', 'your-secret-your-secret-your-secret', /is a placeholder/],
    ['ENCRYPTION_KEY', 'abababababababababababababababababab', /too few different characters/],
    ['METRICS_TOKEN', 'short', /at least 32 random characters/],
    ['GRAFANA_ADMIN_PASSWORD', 'admin', /at least 12 random characters/],
    ['POSTGRES_PASSWORD', 'p4Xr7Qz1Lm9/b2Wk', /part of a URL/],
  ])('refuses %s=%s', (name, value, reason) => {
    const { status, said } = check({ ...COMPOSE_SECRETS, [name]: value });
    expect({ status, said }).toEqual({ status: 1, said: [expect.stringMatching(reason)] });
    expect(said[0]).toContain(name);
    expect(said[0]).not.toContain(value);
  });
});

describeWithProgram('docker compose config', composeProgram, (program) => {
  const config = (parameters: readonly string[], environment: Readonly<Record<string, string>>) => {
    const { PATH = '', HOME = '' } = process.env;
    // Not the .env of a developer.
    const files = ['--file', COMPOSE_FILE, '--env-file', '/dev/null'];
    return spawnSync(program, [...files, ...parameters], {
      env: { PATH, HOME, ...environment },
      encoding: 'utf8',
    });
  };
  let everything: Map<string, unknown>;

  beforeAll(() => {
    const { stdout } = config(['--profile', '*', 'config', '--format', 'json'], COMPOSE_SECRETS);
    everything = servicesOf(JSON.parse(stdout));
  });

  test.each([[[]], [['nginx']], [['monitoring']], [['nginx', 'monitoring']]])(
    'passes with the profiles %j',
    (profiles) => {
      const named = profiles.flatMap((profile) => ['--profile', profile]);
      const { status, stderr } = config([...named, 'config', '--quiet'], COMPOSE_SECRETS);
      expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    },
  );

  test.each(Object.keys(COMPOSE_SECRETS))(
    'refuses an empty %s with a sentence that says what to do',
    (name) => {
      const { status, stderr } = config(['config', '--quiet'], { ...COMPOSE_SECRETS, [name]: '' });
      expect(status).not.toBe(0);
      expect(stderr).toContain(`Set ${name} in .env; scripts/deploy-compose --secrets generates it.`);
    },
  );

  test('starts nginx and the monitoring only with their profiles', () => {
    const { stdout } = config(['config', '--services'], COMPOSE_SECRETS);
    expect(stdout.trim().split('\n').toSorted()).toEqual([
      'api',
      'check-secrets',
      'migrate',
      'postgres',
      'redis',
      'worker',
    ]);
    expect([...everything.keys()]).toEqual(expect.arrayContaining(['nginx', 'prometheus', 'grafana']));
  });

  test('lets the API trust one proxy by default', () => {
    expect(at(everything.get('api'), 'environment', 'TRUST_PROXY')).toBe('1');
  });

  test('gives the same upload limits to nginx and the API', () => {
    const { stdout } = config(['--profile', 'nginx', 'config', '--format', 'json'], {
      ...COMPOSE_SECRETS,
      MAX_UPLOAD_MB: '77',
      BATCH_MAX_INPUT_MB: '88',
    });
    const found = servicesOf(JSON.parse(stdout));
    const limits = { MAX_UPLOAD_MB: '77', BATCH_MAX_INPUT_MB: '88' };
    for (const name of ['api', 'nginx']) expect(at(found.get(name), 'environment')).toMatchObject(limits);
  });

  test('passes a bucket and its credentials to every process that reads files, and to no other', () => {
    const bucket = {
      S3_BUCKET: 'parley-files',
      S3_ENDPOINT: 'https://store.example.com',
      S3_REGION: 'auto',
      AWS_ACCESS_KEY_ID: 'an-id',
      AWS_SECRET_ACCESS_KEY: 'planted-secret-key',
      AWS_SESSION_TOKEN: 'planted-session',
    };
    const { stdout } = config(
      ['--profile', 'nginx', '--profile', 'monitoring', 'config', '--format', 'json'],
      { ...COMPOSE_SECRETS, ...bucket },
    );
    const found = servicesOf(JSON.parse(stdout));
    for (const name of ['api', 'worker']) expect(at(found.get(name), 'environment')).toMatchObject(bucket);
    for (const name of ['nginx', 'postgres', 'redis', 'prometheus', 'grafana'])
      expect(JSON.stringify(found.get(name))).not.toContain('planted-');
  });

  test('knows every command and option that the guide uses', () => {
    const guide = readFileSync(join(PACKAGE_ROOT, 'docs', 'deploy', 'compose.md'), 'utf8');
    const blocks = Array.from(guide.matchAll(/^```sh\n(.*?)^```$/gms), ([, block = '']) => block).join('');
    const commands = Array.from(blocks.matchAll(/docker compose ([^\n>]+)/g), ([, command = '']) =>
      command.trim(),
    );
    expect(commands.length).toBeGreaterThan(5);
    for (const command of commands) {
      // With --help, Compose reads the options and does nothing.
      const parameters = command.replace(/^((?:--profile \S+ )*[a-z]+)/, '$1 --help').split(' ');
      const { status, stderr } = config(parameters, COMPOSE_SECRETS);
      expect({ command, status, stderr }).toEqual({ command, status: 0, stderr: '' });
    }
  });

  test('mounts only files that exist', () => {
    for (const [name, description] of everything) {
      const volumes = at(description, 'volumes');
      if (!Array.isArray(volumes)) continue;
      for (const volume of volumes) {
        if (at(volume, 'type') !== 'bind') continue;
        const source = String(at(volume, 'source'));
        const { status } = spawnSync('test', ['-e', source]);
        expect({ name, source, status }).toEqual({ name, source, status: 0 });
      }
    }
  });

  test('gives each container only the secrets that it needs', () => {
    for (const [name, description] of everything) {
      if (['api', 'worker', 'migrate', 'check-secrets'].includes(name)) continue;
      const text = JSON.stringify(description);
      const known = Object.entries(COMPOSE_SECRETS).filter(([, value]) => text.includes(value));
      expect({ name, known: known.map(([secret]) => secret) }).toEqual({
        name,
        known:
          { postgres: ['POSTGRES_PASSWORD'], redis: ['REDIS_PASSWORD'], grafana: ['GRAFANA_ADMIN_PASSWORD'] }[
            name
          ] ?? [],
      });
    }
  });
});

test.each([
  [{ MAX_UPLOAD_MB: '8', BATCH_MAX_INPUT_MB: '4' }, 9],
  [{ MAX_UPLOAD_MB: '8', BATCH_MAX_INPUT_MB: '200' }, 201],
])('nginx takes one megabyte more than the larger of %j', (limits, megabytes) => {
  const script = join(PACKAGE_ROOT, 'deploy', 'nginx', 'body-limit.envsh');
  const run = spawnSync('sh', ['-c', `. ${script}; echo "$NGINX_MAX_BODY_KB"`], {
    env: limits,
    encoding: 'utf8',
  });
  expect(run.stdout.trim()).toBe(String(megabytes * 1024));
});
