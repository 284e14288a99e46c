import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { PACKAGE_ROOT } from '../../src/config/index.js';

/** Instructions of the Dockerfile that also make sense without a container. */
export interface Dockerfile {
  /** Shell commands of all stages. */
  readonly runs: readonly string[];
  /** Files that the last stage copies from the stage that compiles, by their paths in the checkout. */
  readonly copies: readonly string[];
  /** Sources and targets that the last stage copies from the checkout, with the rights that they have there. */
  readonly takesModesOfCheckout: readonly string[];
  /** Environment of the image. */
  readonly environment: Readonly<Record<string, string>>;
  /** Words of CMD. */
  readonly command: readonly string[];
  /** Words of HEALTHCHECK. */
  readonly healthCheck: readonly string[];
}

/** Reads the Dockerfile of the project. */
export function readDockerfile(): Dockerfile {
  const text = readFileSync(join(PACKAGE_ROOT, 'Dockerfile'), 'utf8');
  const instructions = text
    .replaceAll(/^#.*\n/gm, '')
    .replaceAll(/\\\n\s*/g, '')
    .split('\n')
    .filter((line) => line !== '');
  const lastStage = instructions.slice(instructions.findLastIndex((line) => line.startsWith('FROM ')));
  const restOf = (name: string, among: readonly string[]): string[] =>
    among.filter((line) => line.startsWith(`${name} `)).map((line) => line.slice(name.length + 1));
  return {
    runs: restOf('RUN', instructions),
    copies: restOf('COPY', lastStage).flatMap((rest) =>
      Array.from(rest.matchAll(/(?<= )\/build\/(\S+)/g), ([, path = '']) => path),
    ),
    takesModesOfCheckout: restOf('COPY', lastStage).filter((rest) => !rest.includes('--from=')),
    environment: Object.fromEntries(
      restOf('ENV', lastStage).flatMap((rest) =>
        rest.split(/\s+/).map((pair) => {
          const [name = '', value = ''] = pair.split('=');
          return [name, value];
        }),
      ),
    ),
    command: wordsOf(restOf('CMD', lastStage).at(-1)),
    healthCheck: wordsOf(
      restOf('HEALTHCHECK', lastStage)
        .at(-1)
        ?.replace(/^.*? CMD /, ''),
    ),
  };
}

/** Parses the form of an instruction that runs without a shell. */
function wordsOf(json: string | undefined): string[] {
  const words: unknown = JSON.parse(json ?? 'null');
  if (!Array.isArray(words))
    throw new Error(`The Dockerfile has no list of words here: ${json ?? 'nothing'}`);
  return words.map(String);
}
