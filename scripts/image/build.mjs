import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { chmod, cp, mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { npmVolumes } from './npm-settings.mjs';
import { run } from './programs.mjs';
import { runName } from './storage.mjs';

const root = dirname(dirname(import.meta.dirname));

/** Text that must be in no layer. It stands in for every secret that may be next to a checkout. */
export const planted = `planted-${randomUUID()}`;

/** Files that a checkout of a developer may have. */
const privateFiles = [
  '.env',
  '.env.production',
  '.npmrc',
  'src/.env',
  'prisma/.env',
  '.data/secrets/jwt',
  'id_rsa',
];

/**
 * Copies what git knows or would add, so that the build does not depend on what else is in this checkout, with the
 * rights that a umask of 077 would leave.
 */
async function makeContext(folder) {
  const { stdout } = await run('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], {
    cwd: root,
  });
  const files = stdout.split('\0').filter((file) => file !== '' && existsSync(join(root, file)));
  for (const file of files) {
    await cp(join(root, file), join(folder, file), { recursive: true });
    await chmod(join(folder, file), 0o700);
  }
  for (const file of privateFiles) {
    await mkdir(dirname(join(folder, file)), { recursive: true });
    await writeFile(join(folder, file), `TOKEN=${planted}\n`);
  }
}

/**
 * Builds the image from a copy of the checkout with secrets planted in it and in npm's settings.
 * @param options.folder a folder for temporary files
 * @returns the name of the image
 */
export async function buildImage(storage, { folder }) {
  const context = join(folder, 'context');
  await mkdir(context);
  await makeContext(context);
  const volumes = await npmVolumes(folder, [`//registry.invalid/:_authToken=${planted}`]);
  const name = `localhost/${runName('image')}`;
  const { version } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8'));
  await storage.buildah(
    'bud',
    ...['--isolation', 'chroot', '--format', 'docker', '--signature-policy', storage.policy],
    ...volumes.flatMap((volume) => ['--volume', volume]),
    ...['--build-arg', `VERSION=${version}`, '--tag', name, context],
  );
  return name;
}
