import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { rootCertificates } from 'node:tls';
import { run } from './programs.mjs';

async function configured(name) {
  const { stdout } = await run('npm', ['config', 'get', name]);
  return ['null', 'undefined', ''].includes(stdout) ? undefined : stdout;
}

/**
 * Returns the volumes that let npm use in a build what npm uses on this machine: registry, own settings, certificates,
 * downloads. They are mounted for the build only, so none of it is in a layer.
 * @param folder a folder for files that the volumes need
 * @param more lines for npm's global settings
 */
export async function npmVolumes(folder, more = []) {
  const names = ['registry', 'userconfig', 'cache', 'cafile'];
  const [registry, userconfig, cache, cafile] = await Promise.all(names.map(configured));

  const authorities = join(folder, 'authorities.pem');
  const extra = process.env.NODE_EXTRA_CA_CERTS;
  const files = [cafile, extra].filter((file) => file !== undefined && existsSync(file));
  const certificates = await Promise.all(files.map((file) => readFile(file, 'utf8')));
  if (cafile === undefined) certificates.push(...rootCertificates);
  await writeFile(authorities, certificates.join('\n'));
  // npm's own settings may name the file of this machine, so it is there under the same name.
  const authoritiesInside = cafile ?? '/run/authorities.pem';

  const settings = join(folder, 'npmrc');
  const lines = [`registry=${registry}`, `cafile=${authoritiesInside}`, ...more];
  await writeFile(settings, `${lines.join('\n')}\n`, { mode: 0o600 });

  return [
    `${settings}:/usr/local/etc/npmrc:ro`,
    `${authorities}:${authoritiesInside}:ro`,
    ...(userconfig !== undefined && existsSync(userconfig) ? [`${userconfig}:/root/.npmrc:ro`] : []),
    ...(cache !== undefined && existsSync(cache) ? [`${cache}:/root/.npm`] : []),
  ];
}
