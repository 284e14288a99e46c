/*
 * node scripts/test.mjs [--only integration,e2e] [--other-stores] [jest arguments and file patterns]
 *
 * Runs the jest projects. Integration and e2e get a PostgreSQL server: that of DATABASE_URL, or else an embedded
 * one of this run's own, which does not wait for the disk. The 15 slowest files are printed with their seconds, and the
 * last line counts the tests: "N passed, N failed, N skipped".
 *
 * --other-stores is for a second run, on another PostgreSQL or with Redis: it leaves out what would only be repeated.
 */
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, globSync } from 'node:fs';
import { chmod, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { pathToFileURL } from 'node:url';
import pg from 'pg';

const root = dirname(import.meta.dirname);
const allProjects = ['unit', 'static', 'integration', 'e2e'];
const databaseProjects = ['integration', 'e2e'];
const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'];

/**
 * What no other PostgreSQL and no Redis can change, so that one run is enough: wires and their faults between a client and
 * a provider, what HTTP refuses before anything is stored, what is kept in memory, and what starts a database of its own.
 */
const sameOnAllStores = [
  // Wires, clients and providers.
  'test/integration/gateway/anthropic-clients.spec.ts',
  'test/integration/gateway/anthropic-protocol.spec.ts',
  'test/integration/llm/circuits.spec.ts',
  'test/integration/llm/contained-faults.spec.ts',
  'test/integration/llm/embedding-faults.spec.ts',
  'test/integration/llm/fault-table-completions.spec.ts',
  'test/integration/llm/fault-table-messages.spec.ts',
  'test/integration/llm/fault-table-ollama.spec.ts',
  'test/integration/llm/host-replies.spec.ts',
  'test/integration/features/chat/odd-answers.spec.ts',
  'test/integration/gateway/ollama-protocol.spec.ts',
  'test/integration/gateway/openai-clients.spec.ts',
  'test/integration/gateway/openai-protocol.spec.ts',
  'test/integration/llm/provider-requirements.spec.ts',
  'test/integration/llm/resilience.spec.ts',
  // HTTP.
  'test/integration/http/connections.spec.ts',
  'test/integration/http/logs.spec.ts',
  'test/integration/http/malformed-requests.spec.ts',
  'test/integration/http/openapi.spec.ts',
  'test/integration/http/security-headers.spec.ts',
  // Memory.
  'test/integration/llm/cache.spec.ts',
  // Databases of their own.
  'test/e2e/crash.spec.ts',
  'test/e2e/lifecycle.spec.ts',
  'test/e2e/redis-away.spec.ts',
  'test/e2e/shutdown-failures.spec.ts',
  'test/integration/infra/database.spec.ts',
  'test/integration/infra/embedded-server.spec.ts',
  'test/integration/infra/instance-lock.spec.ts',
  'test/integration/infra/migrations.spec.ts',
];

/** Settings of the developer's own shell that a test must not pick up by accident. */
const privateSettings = /^(TEST_|DATABASE_|REDIS_|OPENAI_|ANTHROPIC_|OLLAMA_|LLM_|AWS_|S3_)/;

/** Files that the report of the slowest names. */
const slowestShown = 15;

const noTests = { passed: 0, failed: 0, skipped: 0 };

function parseArguments(argv) {
  const jestArguments = [];
  let projects = allProjects;
  let otherStores = false;
  for (let index = 0; index < argv.length; index += 1) {
    const argument = argv[index];
    if (argument === '--other-stores') {
      otherStores = true;
      continue;
    }
    if (argument !== '--only' && !argument.startsWith('--only=')) {
      jestArguments.push(argument);
      continue;
    }
    const list = argument === '--only' ? (argv[(index += 1)] ?? '') : argument.slice('--only='.length);
    projects = list.split(',');
    const unknown = projects.filter((name) => !allProjects.includes(name));
    if (unknown.length > 0)
      throw new Error(`--only takes ${allProjects.join(', ')}; not "${unknown.join(', ')}".`);
  }
  return { projects, jestArguments, otherStores };
}

/** The files that are left out, as patterns of paths. A list that names a file which is gone would grow old unseen. */
function leftOut() {
  const gone = sameOnAllStores.filter((file) => !existsSync(join(root, file)));
  if (gone.length > 0)
    throw new Error(`scripts/test.mjs leaves out what is not there: ${gone.join(', ')}. Correct its list.`);
  return sameOnAllStores.map((file) => `--testPathIgnorePatterns=/${file.replaceAll('.', '\\.')}$`);
}

function needsDatabase(project) {
  return (
    databaseProjects.includes(project) && globSync(`test/${project}/**/*.spec.ts`, { cwd: root }).length > 0
  );
}

async function startDatabase(dataDir) {
  const modulePath = join(root, 'dist/infra/database/embedded-server.js');
  if (!existsSync(modulePath)) {
    throw new Error(
      'The tests need a PostgreSQL: run `npm test`, which builds dist first, or set DATABASE_URL.',
    );
  }
  const { startEmbeddedServer } = await import(pathToFileURL(modulePath).href);
  const server = await startEmbeddedServer({ dataDir, report: (line) => console.error(line) });
  // The data is thrown away. Specs about durability start servers of their own, which keep the safe defaults.
  for (const setting of ['fsync', 'synchronous_commit', 'full_page_writes'])
    await onServer(server.connectionString, `ALTER SYSTEM SET ${setting} = off`);
  await onServer(server.connectionString, 'SELECT pg_reload_conf()');
  return server;
}

/** A migrated database to copy from: copying takes a tenth of what migrating takes. */
async function makeTemplate(serverUrl) {
  const name = `parley_template_${randomBytes(6).toString('hex')}`;
  await onServer(serverUrl, `CREATE DATABASE ${name} TEMPLATE template0 ENCODING 'UTF8'`);
  const url = new URL(serverUrl);
  url.pathname = `/${name}`;
  const { applyMigrations } = await import(
    pathToFileURL(join(root, 'dist/infra/database/migrations.js')).href
  );
  await applyMigrations({
    connectionString: url.href,
    directory: join(root, 'prisma/migrations'),
    report: () => undefined,
  });
  return { name, drop: () => onServer(serverUrl, `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`) };
}

async function onServer(connectionString, sql) {
  const client = new pg.Client({ connectionString });
  await client.connect();
  await client.query(sql).finally(() => client.end());
}

function jestEnvironment({ postgresUrl, template }) {
  const kept = Object.entries(process.env).filter(([name]) => !privateSettings.test(name));
  return {
    ...Object.fromEntries(kept),
    NODE_ENV: 'test',
    ...(postgresUrl && { TEST_POSTGRES_URL: postgresUrl }),
    ...(template && { TEST_POSTGRES_TEMPLATE: template.name }),
    ...(process.env.REDIS_URL && { TEST_REDIS_URL: process.env.REDIS_URL }),
  };
}

/** Jest's exit code; a signal to this process is passed on, and the code is then that of the signal. */
function runJest({ projects, jestArguments, databases, resultFile, stopping }) {
  const child = spawn(
    process.execPath,
    [
      '--experimental-vm-modules',
      '--disable-warning=ExperimentalWarning',
      join(root, 'node_modules/jest/bin/jest.js'),
      '--json',
      `--outputFile=${resultFile}`,
      // Last of all, because it takes every plain word after it as a project.
      ...jestArguments,
      ...projects.map((name) => `--selectProjects=${name}`),
    ],
    { cwd: root, stdio: 'inherit', env: jestEnvironment(databases) },
  );
  stopping.addEventListener('abort', () => child.kill(stopping.reason), { once: true });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code, signal) => resolve(code ?? (signal ? 1 : 0)));
  });
}

async function readResult(resultFile) {
  const text = await readFile(resultFile, 'utf8').catch(() => undefined);
  return text === undefined ? undefined : JSON.parse(text);
}

/** One line a file, the slowest first. */
function slowestFiles(result) {
  return (result?.testResults ?? [])
    .map(({ name, startTime, endTime }) => ({
      file: relative(root, name),
      seconds: (endTime - startTime) / 1000,
    }))
    .toSorted((one, other) => other.seconds - one.seconds)
    .slice(0, slowestShown)
    .map(({ file, seconds }) => `${seconds.toFixed(1).padStart(7)} s  ${file}`);
}

function countTests(result) {
  if (result === undefined) return noTests;
  return {
    passed: result.numPassedTests,
    // A file that does not even load has no tests to fail.
    failed: result.numFailedTests + result.numRuntimeErrorTestSuites,
    skipped: result.numPendingTests + result.numTodoTests,
  };
}

/** Jest's exit code and the counts of one run over the projects. */
async function run({ projects, jestArguments: given, otherStores, workFolder, stopping }) {
  let server;
  let template;
  try {
    let postgresUrl = process.env.DATABASE_URL;
    if (!postgresUrl && projects.some(needsDatabase)) {
      server = await startDatabase(join(workFolder, 'data'));
      postgresUrl = server.connectionString;
    }
    if (postgresUrl) template = await makeTemplate(postgresUrl);
    if (stopping.aborted) return { exitCode: 1, counts: noTests };
    const resultFile = join(workFolder, 'result.json');
    const databases = { postgresUrl, template };
    const jestArguments = otherStores ? [...given, ...leftOut()] : given;
    const exitCode = await runJest({ projects, jestArguments, databases, resultFile, stopping });
    const result = await readResult(resultFile);
    return { exitCode, counts: countTests(result), slowest: slowestFiles(result) };
  } finally {
    await template?.drop();
    await server?.stop();
  }
}

const stop = new AbortController();
for (const signal of signals) process.on(signal, () => stop.abort(signal));

const workFolder = await mkdtemp(join(tmpdir(), 'parley-test-'));
let outcome = { exitCode: 1, counts: noTests };
try {
  // The embedded server of a run as root belongs to another user, who has to pass through here.
  await chmod(workFolder, 0o755);
  outcome = await run({ ...parseArguments(process.argv.slice(2)), workFolder, stopping: stop.signal });
} catch (error) {
  console.error(error);
} finally {
  await rm(workFolder, { recursive: true, force: true });
}

const { exitCode, counts, slowest = [] } = outcome;
if (slowest.length > 0) console.log(['Slowest files:', ...slowest].join('\n'));
console.log(`${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`);
const noneRan = counts.passed + counts.failed === 0;
// Not by letting it run out: the migration engine leaves a timer of ten seconds behind.
process.exit(stop.signal.aborted ? 130 : exitCode || Number(noneRan));
