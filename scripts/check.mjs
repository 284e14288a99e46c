// node scripts/check.mjs: all static checks, in two lines side by side, because linting takes as long as the rest together.
import { spawn } from 'node:child_process';
import { once } from 'node:events';

const lines = [['check:lint'], ['check:format', 'check:types', 'check:dependencies']];

/** Whether all scripts of a line passed. Each is run, so that one look shows everything there is to mend. */
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
