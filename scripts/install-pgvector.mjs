/*
 * node scripts/install-pgvector.mjs <postgresql://…>
 *
 * Installs pgvector for a PostgreSQL server of this machine that comes from Debian's packages, for the tests. Debian 12
 * has no package of it, so it is built from the source package of Debian 13, which takes some seconds. Does nothing if
 * the server has it. Prints a line that begins with SKIPPED if this machine cannot do it, and fails only if a step fails.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, globSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';

/** Release of Debian that has the source package. */
const RELEASE = 'trixie';
const KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg';
const SOURCES = '/etc/apt/sources.list.d/*.sources';

/** Runs a program and shows its output only if it fails. */
function run(program, programArguments, cwd) {
  const { status, error, stdout, stderr } = spawnSync(program, programArguments, {
    cwd,
    encoding: 'utf8',
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
  });
  if (status === 0) return;
  throw new Error(`${program} failed: ${error?.message ?? `${stdout}${stderr}`.trim()}`);
}

/** Returns the major version of a server and whether it has pgvector. */
async function inspectServer(connectionString) {
  const client = new pg.Client({ connectionString });
  await client.connect();
  try {
    const { rows } = await client.query(
      `SELECT current_setting('server_version_num')::int / 10000 AS major,
         EXISTS (SELECT 1 FROM pg_available_extensions WHERE name = 'vector') AS "hasVector"`,
    );
    return rows[0];
  } finally {
    await client.end();
  }
}

/** Returns the address of the mirror that this machine installs packages from. */
function findMirror() {
  for (const path of globSync(SOURCES)) {
    const [, mirror] = /^URIs:\s*(\S+)/m.exec(readFileSync(path, 'utf8')) ?? [];
    if (mirror !== undefined) return mirror;
  }
  return undefined;
}

/** Returns why this machine cannot build it; undefined if it can. */
function findObstacle(major) {
  if (process.getuid?.() !== 0) return 'it needs root';
  if (!existsSync('/usr/bin/apt-get') || !existsSync(KEYRING))
    return 'this machine has no packages of Debian';
  if (!existsSync(`/usr/lib/postgresql/${major}`))
    return `PostgreSQL ${major} is not a package of this machine`;
  return findMirror() === undefined ? `${SOURCES} names no mirror` : undefined;
}

function build(major, folder) {
  const apt = join(folder, 'apt');
  for (const path of ['lists/partial', 'cache/archives/partial'])
    mkdirSync(join(apt, path), { recursive: true });
  const list = join(apt, 'sources.list');
  writeFileSync(list, `deb-src [signed-by=${KEYRING}] ${findMirror()} ${RELEASE} main\n`);
  // Lists and cache of their own: packages of the other release must not be offered to this machine.
  const options = [
    `-oDir::Etc::SourceList=${list}`,
    '-oDir::Etc::SourceParts=/dev/null',
    `-oDir::State::Lists=${join(apt, 'lists')}`,
    `-oDir::Cache=${join(apt, 'cache')}`,
    '-oAPT::Sandbox::User=root',
  ];
  const config = `/usr/lib/postgresql/${major}/bin/pg_config`;
  if (!existsSync(`/usr/include/postgresql/${major}/server/postgres.h`)) {
    run('apt-get', ['update', '-qq'], folder);
    run('apt-get', ['install', '-y', '-qq', `postgresql-server-dev-${major}`], folder);
  }
  run('apt-get', [...options, 'update', '-qq'], folder);
  run('apt-get', [...options, '--download-only', '-qq', 'source', 'pgvector'], folder);
  const [archive] = globSync('pgvector_*.orig.tar.gz', { cwd: folder });
  const source = join(folder, 'source');
  mkdirSync(source);
  run('tar', ['xf', join(folder, archive), '--strip-components=1', '-C', source], folder);
  // Without OPTFLAGS it is built for this processor only.
  const flags = ['OPTFLAGS=', `PG_CONFIG=${config}`];
  run('make', ['-s', '-j2', ...flags], source);
  run('make', ['-s', 'install', ...flags], source);
}

const [url] = process.argv.slice(2);
if (url === undefined) throw new Error('usage: install-pgvector.mjs <postgresql://…>');
const { major, hasVector } = await inspectServer(url);
const obstacle = hasVector ? undefined : findObstacle(major);
if (hasVector) {
  console.log(`PostgreSQL ${major} has pgvector`);
} else if (obstacle !== undefined) {
  console.log(`SKIPPED: pgvector for PostgreSQL ${major}: ${obstacle}`);
} else {
  const folder = mkdtempSync(join(tmpdir(), 'parley-pgvector-'));
  try {
    build(major, folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  console.log(`pgvector is installed for PostgreSQL ${major}`);
}
