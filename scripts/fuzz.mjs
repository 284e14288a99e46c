/*
 * node scripts/fuzz.mjs
 *
 * Sends random requests to every route, far more than a test run does. FUZZ_RUNS sets how often each kind of request
 * goes to each route. FUZZ_SEED repeats a run, which prints its seed at the start.
 */
process.env.FUZZ_RUNS ??= '200';
process.argv.push('--only', 'integration', 'integration/http/fuzz.spec');
await import('./test.mjs');
