// Runs all static checks in two parallel sequences, because linting takes as long as the others together.
import { spawn } from 'node:child_process';
import { once } from 'node:events';

const lines = [['check:lint'], ['check:format', 'check:types', 'check:dependencies']];

/** Returns true if all scripts of a sequence passed. Runs every script, so that one run shows all problems. */
async function pass(scripts) {
  let passed = true;
  for (const script of scripts) {
    const [code] = await once(spawn(`npm run --silent ${script}`, { stdio: 'inherit', shell: true }), 'exit');
    passed &&= code === 0;
  }
  return passed;
}

const outcomes = await Promise.all(lines.map(pass));
process.exit(outcomes.every(Boolean) ? 0 : 1);
