// Real components: the API on a socket, bash and curl, Node and the official SDKs; only the models are simulated.
import { execFile } from 'node:child_process';
import { copyFileSync, mkdtempSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from '@jest/globals';
import { PACKAGE_ROOT } from '../../../src/config/index.js';
import { asking } from '../../support/api.js';
import { makePdf } from '../../support/pdf.js';
import { setUpApi, setUpProvider, setUpResource } from '../../support/set-up.js';
import { Shell } from '../../support/shell.js';

/** Address that the examples name. */
const DOCUMENTED_URL = 'http://127.0.0.1:3000';

/** Begins the blocks that start servers or need a terminal, which other tests cover. */
const NOT_RUN = /^(?:npm |OPENAI_API_KEY=|printf '%s' "\$PASSWORD")/m;

/** A code block of a document. */
interface CodeBlock {
  readonly language: string;
  readonly code: string;
  /** The heading above it. */
  readonly heading: string;
}

function blocksOf(document: string): CodeBlock[] {
  const text = readFileSync(join(PACKAGE_ROOT, document), 'utf8');
  let heading = document;
  return [...text.matchAll(/^#+ ([^\n]+)$|^```(\w+)\n(.*?)^```$/gms)].flatMap(([, title, language, code]) => {
    if (title !== undefined) heading = title;
    return language === undefined || code === undefined ? [] : [{ language, code, heading }];
  });
}

const [DEFINITIONS, REGISTRATION] = blocksOf('docs/getting-started.md')
  .filter(({ language, code }) => language === 'sh' && !NOT_RUN.test(code))
  .map(({ code }) => code);

describe.each([
  ['README.md', false],
  ['docs/getting-started.md', false],
  ['docs/api-guide.md', true],
  ['docs/accounts.md', true],
  ['docs/batches.md', true],
  ['docs/files.md', true],
  ['docs/providers.md', true],
  ['docs/retrieval.md', true],
  ['docs/webhooks.md', true],
])('the examples of %s', (document, followsGettingStarted) => {
  const provider = setUpProvider();
  const api = setUpApi(() => ({
    ...asking(provider),
    OLLAMA_BASE_URL: provider.origin,
  }));
  const shell = setUpResource(async () => {
    const folder = mkdtempSync(join(tmpdir(), 'parley-examples-'));
    copyFileSync(join(PACKAGE_ROOT, 'README.md'), join(folder, 'README.md'));
    writeFileSync(join(folder, 'report.pdf'), await makePdf(['The report costs nothing.']));
    symlinkSync(join(PACKAGE_ROOT, 'node_modules'), join(folder, 'node_modules'));
    writeFileSync(join(folder, 'package.json'), '{"type":"module"}');
    const bash = new Shell(folder);
    if (followsGettingStarted) await bash.run(here(`${DEFINITIONS}${REGISTRATION}`));
    return {
      resource: { bash, folder },
      close: async () => {
        await bash.close();
        await rm(folder, { recursive: true });
      },
    };
  });
  const here = (code: string): string => code.replaceAll(DOCUMENTED_URL, api.url);

  it.each(blocksOf(document).filter(({ language, code }) => language === 'sh' && !NOT_RUN.test(code)))(
    'run in a shell: $heading',
    async ({ heading, code }) => {
      if (heading === 'Tools' && !code.includes('CALL_ID')) {
        const call = { id: 'call_1', name: 'temperature', arguments: '{"city":"Oslo"}' };
        provider.script({ kind: 'answer', text: '', toolCalls: [call] });
      }
      if (heading === 'Structured output') provider.script({ kind: 'answer', text: '{"city":"Oslo"}' });
      await shell().bash.run(here(code));
    },
  );

  const scripts = blocksOf(document).filter(({ language }) => language === 'ts');
  if (scripts.length === 0) return;

  it.each(scripts.map((script, index) => ({ ...script, index })))(
    'run in Node: $heading $index',
    async ({ code, index }) => {
      const { bash, folder } = shell();
      const script = join(folder, `example-${String(index)}.ts`);
      writeFileSync(script, here(code));
      const key = (await bash.run('echo "${PARLEY_KEY:-$TOKEN}"')).trim();
      const { stdout } = await promisify(execFile)(process.execPath, [script], {
        cwd: folder,
        env: { PARLEY_KEY: key },
      });
      expect(stdout).toMatch(/it only repeats your message|This is the demo model/);
    },
  );
});
