// Prepares a checkout: `node scripts/bootstrap.mjs generate` installs missing dependencies and generates the Prisma
// client; `build` also compiles. npm runs it before start, dev, check and test, with the machine's own Node, so it
// has no dependencies and no syntax newer than Node 20. It skips what is up to date, without output.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join, sep } from 'node:path';
import { fileURLToPath } from 'node:url';

const oldestNode = 20;
const root = dirname(dirname(fileURLToPath(import.meta.url)));
const at = (...segments) => join(root, ...segments);

/** The Node that npm installs for the project. */
const installedNode = at('node_modules', 'node', 'bin', process.platform === 'win32' ? 'node.exe' : 'node');

/**
 * Returns the project's own Node. Tools run on it directly, not on the `node` that PATH finds first. Without install
 * scripts, as in the image, it is missing; this process then stands in for it if it is of the same major version.
 */
const projectNode = () => (existsSync(installedNode) ? installedNode : process.execPath);

/** A problem that the user must fix: shown as a sentence, without a stack. */
class Problem extends Error {}

const announce = (line) => console.error(line);

function textOf(path) {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

function fingerprint(parts) {
  const hash = createHash('sha256');
  for (const part of parts) {
    const bytes = Buffer.isBuffer(part) ? part : Buffer.from(String(part));
    hash.update(`${bytes.length}:`).update(bytes);
  }
  return hash.digest('hex');
}

/** Runs a program until it exits. Shows its output immediately, or with `quiet` only if the program fails. */
function run(program, programArguments, { what, quiet = false, environment = {}, shell = false }) {
  const { status, signal, error, stdout, stderr } = spawnSync(program, programArguments, {
    cwd: root,
    env: { ...process.env, ...environment },
    shell,
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
    stdio: quiet ? ['ignore', 'pipe', 'pipe'] : ['ignore', 'inherit', 'inherit'],
  });
  if (error) throw new Problem(`${what} could not be started: ${error.message}`);
  if (status === 0) return;
  if (quiet) process.stderr.write(`${stdout}${stderr}`);
  throw new Problem(`${what} failed (${signal ?? `exit status ${status}`}). The reason stands above.`);
}

// Dependencies -----------------------------------------------------------------------------------------------------

/** Returns true if npm's own record of node_modules matches package-lock.json, as it does after a manual install. */
function isInstalledFrom(lockText) {
  const recordText = textOf(at('node_modules', '.package-lock.json'));
  if (recordText === undefined) return false;
  try {
    const wanted = JSON.parse(lockText).packages;
    const installed = JSON.parse(recordText).packages;
    const differs = ([path, entry]) =>
      wanted[path]?.version !== entry.version || wanted[path]?.integrity !== entry.integrity;
    const isMissing = ([path, entry]) => path !== '' && !entry.optional && !entry.link && !installed[path];
    return !Object.entries(installed).some(differs) && !Object.entries(wanted).some(isMissing);
  } catch {
    return false;
  }
}

/** Returns the command that runs npm: the npm that started this script, otherwise the one that PATH finds. */
function npmCommand() {
  const { npm_execpath: script, npm_node_execpath: node } = process.env;
  // An npm that runs on the project's own Node would delete that Node during the install.
  if (
    script &&
    node &&
    /^npm-cli\.[cm]?js$/.test(basename(script)) &&
    !node.startsWith(at('node_modules') + sep)
  ) {
    return { program: node, first: [script], shell: false };
  }
  return { program: 'npm', first: [], shell: process.platform === 'win32' };
}

function install() {
  const lockText = textOf(at('package-lock.json'));
  if (lockText === undefined)
    throw new Problem('package-lock.json is missing: this is not a complete checkout.');
  const stampFile = at('node_modules', '.parley-installed');
  const wanted = fingerprint([process.platform, process.arch, lockText]);
  if (textOf(stampFile) === wanted) return;

  if (!isInstalledFrom(lockText)) {
    const reason = existsSync(at('node_modules'))
      ? 'node_modules does not fit package-lock.json'
      : 'node_modules is missing';
    announce(`Installing dependencies (${reason}) …`);
    const { program, first, shell } = npmCommand();
    // With NODE_ENV=production npm would omit the compiler. Its warnings are about the age of this Node.
    const flags = ['ci', '--include=dev', '--loglevel', 'error', '--no-audit', '--no-fund'];
    run(program, [...first, ...flags], { what: 'npm ci', shell });
  }
  const major = (version) => version.split('.')[0];
  const { version } = JSON.parse(lockText).packages['node_modules/node'];
  if (!existsSync(installedNode) && major(version) !== major(process.versions.node)) {
    throw new Problem(
      `${installedNode} is missing, because the install scripts of packages were not run. ` +
        'Allow them (npm config set ignore-scripts false) and run npm ci.',
    );
  }
  writeFileSync(stampFile, wanted);
}

// The Prisma client ------------------------------------------------------------------------------------------------

const clientDirectory = at('src', 'generated', 'prisma');
const clientStamp = join(clientDirectory, '.generated');

function generate() {
  const wanted = fingerprint([
    ...[at('prisma', 'schema.prisma'), at('prisma.config.ts')].map((path) => readFileSync(path)),
    JSON.parse(readFileSync(at('node_modules', 'prisma', 'package.json'), 'utf8')).version,
  ]);
  if (textOf(clientStamp) === wanted && existsSync(join(clientDirectory, 'client.ts'))) return;
  const reason = existsSync(clientDirectory) ? 'its schema or Prisma changed' : 'it is missing';
  announce(`Generating the Prisma client (${reason}) …`);
  run(projectNode(), [at('node_modules', 'prisma', 'build', 'index.js'), 'generate'], {
    what: 'prisma generate',
    quiet: true,
    environment: { CHECKPOINT_DISABLE: '1', PRISMA_HIDE_UPDATE_MESSAGE: '1' },
  });
  writeFileSync(clientStamp, wanted);
}

// The build --------------------------------------------------------------------------------------------------------

/** Lists every file that is compiled, in a fixed order. */
function sourceFiles(directory = 'src') {
  return readdirSync(at(directory), { withFileTypes: true })
    .sort((left, right) => (left.name < right.name ? -1 : 1))
    .flatMap((entry) => {
      const path = `${directory}/${entry.name}`;
      if (entry.isDirectory()) return sourceFiles(path);
      return path.endsWith('.spec.ts') ? [] : [path];
    });
}

const isAlive = (processId) => {
  try {
    process.kill(processId, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
};

/** Removes the folders that killed builds left. */
function removeDeadBuilds() {
  for (const name of readdirSync(root)) {
    const [, processId] = /^\.dist-(\d+)(?:-old)?$/.exec(name) ?? [];
    if (processId && !isAlive(Number(processId))) rmSync(at(name), { recursive: true, force: true });
  }
}

function build() {
  // Compares names and contents, not times: a deleted, renamed or checked-out file counts like an edited one.
  const inputs = ['package-lock.json', 'tsconfig.json', 'tsconfig.build.json', ...sourceFiles()];
  const wanted = fingerprint(inputs.flatMap((path) => [path, readFileSync(at(path))]));
  const dist = at('dist');
  const isComplete = existsSync(join(dist, 'assets', 'redoc.standalone.js'));
  if (isComplete && textOf(join(dist, '.built')) === wanted) return;

  announce(`Compiling (${existsSync(dist) ? 'the sources changed' : 'dist is missing'}) …`);
  removeDeadBuilds();
  // Builds into a new folder that then replaces the old one: no stale file stays, and a failed build changes nothing.
  const fresh = at(`.dist-${process.pid}`);
  const old = `${fresh}-old`;
  try {
    run(
      projectNode(),
      [
        at('node_modules', 'typescript', 'bin', 'tsc'),
        ...['--project', at('tsconfig.build.json'), '--outDir', fresh],
        ...['--noEmitOnError', 'true', '--incremental', 'false', '--tsBuildInfoFile', 'null'],
      ],
      { what: 'The compiler' },
    );
    mkdirSync(join(fresh, 'assets'), { recursive: true });
    copyFileSync(
      at('node_modules', 'redoc', 'bundles', 'redoc.standalone.js'),
      join(fresh, 'assets', 'redoc.standalone.js'),
    );
    writeFileSync(join(fresh, '.built'), wanted);
    if (existsSync(dist)) renameSync(dist, old);
    renameSync(fresh, dist);
  } finally {
    for (const path of [fresh, old]) rmSync(path, { recursive: true, force: true });
  }
}

// ------------------------------------------------------------------------------------------------------------------

const modes = { generate: [install, generate], build: [install, generate, build] };

try {
  const [major] = process.versions.node.split('.');
  if (Number(major) < oldestNode) {
    throw new Problem(`Parley needs Node ${oldestNode} or newer to start; this is ${process.version}.`);
  }
  const steps = modes[process.argv[2]];
  if (!steps) throw new Problem('Usage: node scripts/bootstrap.mjs generate|build');
  for (const step of steps) step();
} catch (error) {
  console.error(error instanceof Problem ? error.message : `The preparation failed: ${error.message}`);
  process.exitCode = 1;
}
