/*
 * node scripts/test.mjs [--only integration,e2e] [--other-stores] [jest arguments and file patterns]
 *
 * Runs the jest projects. Integration and e2e get a PostgreSQL server: that of DATABASE_URL, otherwise an embedded
 * one for this run, which does not wait for the disk; and an S3-compatible server in memory. Prints the 15 slowest files with their seconds; the last line
 * counts the tests: "N passed, N failed, N skipped".
 *
 * --other-stores is for a second run, on another PostgreSQL or with Redis: it omits tests that would only be
 * repeated, and files are in a bucket instead of a folder.
 */
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, globSync } from 'node:fs';
import { chmod, mkdtemp, readFile, rm, statfs } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { pathToFileURL } from 'node:url';
import { startFauxqs } from 'fauxqs';
import pg from 'pg';

const root = dirname(import.meta.dirname);
const allProjects = ['unit', 'static', 'integration', 'e2e'];
const databaseProjects = ['integration', 'e2e'];
const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'];

/**
 * Tests whose result depends on neither the PostgreSQL server nor Redis, so that one run is enough: protocols and
 * their faults between a client and a provider, requests that HTTP rejects before anything is stored, in-memory
 * state, and tests that start a database of their own.
 */
const sameOnAllStores = [
  // Protocols, clients and providers.
  'test/integration/gateway/anthropic-clients.spec.ts',
  'test/integration/gateway/anthropic-protocol.spec.ts',
  'test/integration/llm/resilience/circuits.spec.ts',
  'test/integration/llm/execution/contained-faults.spec.ts',
  'test/integration/llm/execution/embedding-faults.spec.ts',
  'test/integration/llm/execution/fault-table-completions.spec.ts',
  'test/integration/llm/execution/fault-table-messages.spec.ts',
  'test/integration/llm/execution/fault-table-ollama.spec.ts',
  'test/integration/llm/providers/host-replies.spec.ts',
  'test/integration/features/chat/turns/odd-answers.spec.ts',
  'test/integration/gateway/ollama-protocol.spec.ts',
  'test/integration/gateway/openai-clients.spec.ts',
  'test/integration/gateway/openai-protocol.spec.ts',
  'test/integration/llm/providers/provider-requirements.spec.ts',
  'test/integration/llm/execution/resilience.spec.ts',
  // The examples of the documentation.
  'test/integration/documentation/examples.spec.ts',
  // HTTP.
  'test/integration/http/bad-input.spec.ts',
  'test/integration/http/connections.spec.ts',
  'test/integration/http/logs.spec.ts',
  'test/integration/http/malformed-requests.spec.ts',
  'test/integration/http/openapi.spec.ts',
  'test/integration/http/planted-secrets.spec.ts',
  'test/integration/http/security-headers.spec.ts',
  // Forms of files, which HTTP decides; content-sharing and text-claims race on each store.
  'test/integration/features/files/bucket-sweep.spec.ts',
  'test/integration/features/files/upload-fuzz.spec.ts',
  'test/integration/gateway/openai-files.spec.ts',
  // The text of documents: child processes without a store.
  'test/integration/features/files/extraction/confinement.spec.ts',
  'test/integration/features/files/extraction/formats.spec.ts',
  'test/integration/features/files/extraction/hostile.spec.ts',
  'test/integration/features/files/extraction/processes.spec.ts',
  // In-memory state.
  'test/integration/llm/cache/cache.spec.ts',
  // Tests with their own databases.
  'test/e2e/crash.spec.ts',
  'test/integration/http/probes.spec.ts',
  'test/e2e/image-commands.spec.ts',
  'test/e2e/deploy/compose.spec.ts',
  'test/e2e/deploy/fly.spec.ts',
  'test/e2e/deploy/nginx.spec.ts',
  'test/e2e/deploy/prometheus.spec.ts',
  'test/e2e/large-documents.spec.ts',
  'test/e2e/lifecycle.spec.ts',
  'test/e2e/redis-away.spec.ts',
  'test/e2e/several-processes.spec.ts',
  'test/e2e/shared-storage.spec.ts',
  'test/e2e/shutdown-delay.spec.ts',
  'test/e2e/shutdown-failures.spec.ts',
  'test/integration/infra/redis-eviction.spec.ts',
  'test/e2e/worker-monitoring.spec.ts',
  'test/integration/infra/database.spec.ts',
  'test/integration/infra/embedded-server.spec.ts',
  'test/integration/infra/instance-lock.spec.ts',
  'test/integration/infra/migrations.spec.ts',
  'test/integration/infra/queue-connections.spec.ts',
];

/** Settings of the developer's shell that a test must not use by accident. */
const privateSettings = /^(TEST_|DATABASE_|REDIS_|OPENAI_|ANTHROPIC_|OLLAMA_|LLM_|AWS_|S3_)/;

/** Maximum number of files in the report of the slowest. */
const slowestShown = 15;

/** File system in memory, and the free space in bytes from which the data of the test database goes there. */
const memoryFileSystem = '/dev/shm';
const enoughMemory = 6 * 2 ** 30;

/** Maximum number of lines of the test database's log in the report of a failed run. */
const logLinesShown = 40;

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

/**
 * Returns patterns for the paths of the omitted files. Fails if a listed file is missing, so that the list stays
 * correct.
 */
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
  // The data is temporary. Specs about durability start servers of their own, which keep the safe defaults.
  for (const setting of ['fsync', 'synchronous_commit', 'full_page_writes'])
    await onServer(server.connectionString, `ALTER SYSTEM SET ${setting} = off`);
  // Shows whether a statement that timed out was waiting for a lock or for the machine.
  await onServer(server.connectionString, 'ALTER SYSTEM SET log_lock_waits = on');
  await onServer(server.connectionString, "ALTER SYSTEM SET log_min_duration_statement = '3s'");
  await onServer(server.connectionString, 'SELECT pg_reload_conf()');
  return server;
}

/**
 * Returns the folder for the data of the test database. In memory if there is room: right after an installation the
 * disk may be so busy that statements wait for it longer than the API allows.
 */
async function makeDataFolder(workFolder) {
  const { bavail = 0, bsize = 0 } = await statfs(memoryFileSystem).catch(() => ({}));
  if (bavail * bsize < enoughMemory) return { path: join(workFolder, 'data'), remove: () => undefined };
  const folder = await mkdtemp(join(memoryFileSystem, 'parley-test-'));
  // If run as root, the embedded server belongs to another user, which must be able to pass through.
  await chmod(folder, 0o755);
  return { path: join(folder, 'data'), remove: () => rm(folder, { recursive: true, force: true }) };
}

/** Prints the end of the test database's log: slow statements, lock waits and errors of the server itself. */
async function printDatabaseLog(dataFolder) {
  const log = await readFile(join(dataFolder, 'postgresql/server.log'), 'utf8').catch(() => '');
  const lines = log.trimEnd().split('\n').slice(-logLinesShown);
  console.log(['The end of the log of the test database:', ...lines].join('\n'));
}

/** Creates a migrated database as a template: copying it takes a tenth of the time of migrating. */
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

/**
 * Starts an S3-compatible server in memory. It listens on all interfaces, but clients must use the loopback address.
 */
async function startObjectStore() {
  const server = await startFauxqs({ port: 0, logger: false });
  return { url: `http://127.0.0.1:${server.port}`, stop: () => server.stop() };
}

function jestEnvironment({ postgresUrl, template, s3Url, otherStores }) {
  const kept = Object.entries(process.env).filter(([name]) => !privateSettings.test(name));
  return {
    ...Object.fromEntries(kept),
    NODE_ENV: 'test',
    ...(postgresUrl && { TEST_POSTGRES_URL: postgresUrl }),
    ...(template && { TEST_POSTGRES_TEMPLATE: template.name }),
    ...(process.env.REDIS_URL && { TEST_REDIS_URL: process.env.REDIS_URL }),
    // The SDK itself reads the credentials; the server accepts any.
    ...(s3Url && { TEST_S3_URL: s3Url, AWS_ACCESS_KEY_ID: 'test', AWS_SECRET_ACCESS_KEY: 'test' }),
    ...(otherStores && { TEST_FILE_STORE: 's3' }),
  };
}

/**
 * Runs jest and returns its exit code. Forwards a signal to this process; the exit code is then that of the signal.
 */
function runJest({ projects, jestArguments, databases, resultFile, stopping }) {
  const child = spawn(
    process.execPath,
    [
      '--experimental-vm-modules',
      '--disable-warning=ExperimentalWarning',
      join(root, 'node_modules/jest/bin/jest.js'),
      '--json',
      `--outputFile=${resultFile}`,
      // Must come last, because the option treats every plain word after it as a project.
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

/** Formats one line per file, slowest first. */
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
    // A file that does not even load has no tests that could fail.
    failed: result.numFailedTests + result.numRuntimeErrorTestSuites,
    skipped: result.numPendingTests + result.numTodoTests,
  };
}

/** Runs the projects once; returns jest's exit code and the counts. */
async function run({ projects, jestArguments: given, otherStores, workFolder, stopping }) {
  let server;
  let template;
  let objectStore;
  const data = await makeDataFolder(workFolder);
  try {
    let postgresUrl = process.env.DATABASE_URL;
    if (!postgresUrl && projects.some(needsDatabase)) {
      server = await startDatabase(data.path);
      postgresUrl = server.connectionString;
    }
    if (postgresUrl) template = await makeTemplate(postgresUrl);
    if (projects.some((project) => databaseProjects.includes(project)))
      objectStore = await startObjectStore();
    if (stopping.aborted) return { exitCode: 1, counts: noTests };
    const resultFile = join(workFolder, 'result.json');
    const databases = { postgresUrl, template, s3Url: objectStore?.url, otherStores };
    const jestArguments = otherStores ? [...given, ...leftOut()] : given;
    const exitCode = await runJest({ projects, jestArguments, databases, resultFile, stopping });
    const result = await readResult(resultFile);
    if (exitCode !== 0 && server !== undefined) await printDatabaseLog(data.path);
    return { exitCode, counts: countTests(result), slowest: slowestFiles(result) };
  } finally {
    await objectStore?.stop();
    await template?.drop();
    await server?.stop();
    await data.remove();
  }
}

const stop = new AbortController();
for (const signal of signals) process.on(signal, () => stop.abort(signal));

const workFolder = await mkdtemp(join(tmpdir(), 'parley-test-'));
let outcome = { exitCode: 1, counts: noTests };
try {
  // If run as root, the embedded server belongs to another user, which must be able to pass through.
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
// Exits explicitly: the migration engine leaves a timer of ten seconds behind.
process.exit(stop.signal.aborted ? 130 : exitCode || Number(noneRan));
