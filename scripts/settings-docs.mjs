// Writes what the settings table (src/config/settings.ts) says into .env.example and into README.md, between the
// markers. Run it after a build: `npm run docs:settings`.
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { format, resolveConfig } from 'prettier';
import { SETTINGS } from '../dist/config/settings.js';

const root = dirname(import.meta.dirname);
const readme = join(root, 'README.md');
const begin = '<!-- settings:begin -->';
const end = '<!-- settings:end -->';

/** A default that can be typed in is code; one that depends on something is words. */
function shown({ fallback, defaultLabel }) {
  return fallback === undefined ? defaultLabel : `\`${defaultLabel}\``;
}

function table(settings) {
  const rows = Object.entries(settings).map(
    ([name, setting]) =>
      `| \`${name}\` | ${shown(setting)} | ${setting.description.replaceAll('|', '\\|')} |`,
  );
  return ['| variable | default | meaning |', '| --- | --- | --- |', ...rows].join('\n');
}

function example(settings) {
  const entries = Object.entries(settings).map(([name, setting]) => {
    const { description, accepts, fallback, defaultLabel, secret } = setting;
    const value = fallback === undefined ? '' : defaultLabel;
    const notes = [
      `# ${description}.`,
      `# Accepts: ${accepts}.${value === '' ? ` Default: ${defaultLabel}.` : ''}${secret ? ' Never printed.' : ''}`,
    ];
    return `${notes.join('\n')}\n# ${name}=${value}\n`;
  });
  const head = [
    '# All settings with their defaults. Copy this file to .env, and uncomment and edit what you need.',
    '# .env is read in development, where the environment overrides it; in production only the environment is read.',
    '',
  ].join('\n');
  return [head, ...entries].join('\n');
}

function insert(text, content) {
  const from = text.indexOf(begin);
  const to = text.indexOf(end);
  if (from === -1 || to < from) throw new Error(`README.md has no "${begin}" with "${end}" after it.`);
  return `${text.slice(0, from + begin.length)}\n\n${content}\n\n${text.slice(to)}`;
}

writeFileSync(join(root, '.env.example'), example(SETTINGS));
const options = { ...(await resolveConfig(readme)), filepath: readme };
writeFileSync(readme, await format(insert(readFileSync(readme, 'utf8'), table(SETTINGS)), options));
