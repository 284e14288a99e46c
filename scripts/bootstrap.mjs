// Makes a checkout ready to run: `node scripts/bootstrap.mjs generate` installs what is missing and generates the
// Prisma client, `build` compiles as well. npm runs it before start, dev, check and test, with the machine's own Node,
// so it has no dependencies and no syntax newer than Node 20. What is up to date is left alone and not mentioned.
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

/** The Node that the project brings along. Tools run on it by name, not through the `node` that PATH finds first. */
const projectNode = at('node_modules', 'node', 'bin', process.platform === 'win32' ? 'node.exe' : 'node');

/** Something that the person at the keyboard has to deal with: shown as a sentence, without a stack. */
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

/** Runs a program to its end. Its output is shown as it comes, or (`quiet`) only when it fails. */
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

/** Whether npm's own record of node_modules says the same as package-lock.json: somebody installed by hand. */
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

/** How to run npm: as it was run itself if it started us, else as PATH finds it. */
function npmCommand() {
  const { npm_execpath: script, npm_node_execpath: node } = process.env;
  // The project's own Node would be deleted in the middle.
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
    // With NODE_ENV=production npm would leave out the compiler. Its warnings are about the age of this Node.
    const flags = ['ci', '--include=dev', '--loglevel', 'error', '--no-audit', '--no-fund'];
    run(program, [...first, ...flags], { what: 'npm ci', shell });
  }
  if (!existsSync(projectNode)) {
    throw new Problem(
      `${projectNode} is missing, because the install scripts of packages were not run. ` +
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
  run(projectNode, [at('node_modules', 'prisma', 'build', 'index.js'), 'generate'], {
    what: 'prisma generate',
    quiet: true,
    environment: { CHECKPOINT_DISABLE: '1', PRISMA_HIDE_UPDATE_MESSAGE: '1' },
  });
  writeFileSync(clientStamp, wanted);
}

// The build --------------------------------------------------------------------------------------------------------

/** Every file that is compiled, in a fixed order. */
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

/** Builds that were killed leave their folder behind. */
function removeDeadBuilds() {
  for (const name of readdirSync(root)) {
    const [, processId] = /^\.dist-(\d+)(?:-old)?$/.exec(name) ?? [];
    if (processId && !isAlive(Number(processId))) rmSync(at(name), { recursive: true, force: true });
  }
}

function build() {
  // Names and contents, not times: a deleted, renamed or checked-out file counts like an edited one.
  const inputs = ['package-lock.json', 'tsconfig.json', 'tsconfig.build.json', ...sourceFiles()];
  const wanted = fingerprint(inputs.flatMap((path) => [path, readFileSync(at(path))]));
  const dist = at('dist');
  const isComplete = existsSync(join(dist, 'assets', 'redoc.standalone.js'));
  if (isComplete && textOf(join(dist, '.built')) === wanted) return;

  announce(`Compiling (${existsSync(dist) ? 'the sources changed' : 'dist is missing'}) …`);
  removeDeadBuilds();
  // Into a new folder that then takes the place of the old one: nothing stale stays, a failed build changes nothing.
  const fresh = at(`.dist-${process.pid}`);
  const old = `${fresh}-old`;
  try {
    run(
      projectNode,
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
