import { createReadStream } from 'node:fs';
import { mkdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { createGzip } from 'node:zlib';
import { run } from './programs.mjs';

/** Names of files that hold settings or secrets of the machine that built the image. */
const privateNames =
  /(^|\/)(\.npmrc|\.env(\..*)?|\.netrc|\.git|\.data|id_[a-z0-9]+|\.bash_history|_logs|_cacache)(\/|$)/;

/** Reads the layers of an image as uncompressed archives, lowest first. */
export async function exportLayers(storage, name, folder) {
  const archive = join(folder, 'image.tar');
  const layers = join(folder, 'layers');
  await mkdir(layers);
  await storage.buildah(
    'push',
    '--quiet',
    '--signature-policy',
    storage.policy,
    name,
    `docker-archive:${archive}`,
  );
  await run('tar', ['-xf', archive, '-C', layers]);
  const [manifest] = JSON.parse(await readFile(join(layers, 'manifest.json'), 'utf8'));
  return {
    config: join(layers, manifest.Config),
    layers: manifest.Layers.map((file) => join(layers, file)),
  };
}

/** Returns the size of a file after gzip, as registries store and transfer layers. */
export async function gzipSize(file) {
  let bytes = 0;
  for await (const chunk of createReadStream(file).pipe(createGzip())) bytes += chunk.length;
  return bytes;
}

/** Returns true if a file contains the text, also across the chunks that it is read in. */
async function contains(file, text) {
  const wanted = Buffer.from(text);
  let rest = Buffer.alloc(0);
  for await (const chunk of createReadStream(file, { highWaterMark: 4 * 2 ** 20 })) {
    const bytes = Buffer.concat([rest, chunk]);
    if (bytes.includes(wanted)) return true;
    rest = bytes.subarray(-wanted.length);
  }
  return false;
}

/** Lists everything in the image that must not be there, each as a sentence. */
export async function findSecrets({ config, layers }, texts) {
  const found = [];
  for (const file of [config, ...layers])
    for (const text of texts) if (await contains(file, text)) found.push(`${file} contains ${text}.`);
  for (const file of layers) {
    const { stdout } = await run('tar', ['-tf', file]);
    for (const name of stdout.split('\n')) if (privateNames.test(name)) found.push(`A layer has ${name}.`);
  }
  return found;
}

/** Returns the size of a file in bytes. */
export async function sizeOf(file) {
  return (await stat(file)).size;
}
