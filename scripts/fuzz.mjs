/*
 * node scripts/fuzz.mjs
 *
 * Asks every route at random, far more often than a run of the tests does. FUZZ_RUNS says how often each kind of
 * request goes to each route; FUZZ_SEED repeats a run, which prints its seed at the start.
 */
process.env.FUZZ_RUNS ??= '200';
process.argv.push('--only', 'integration', 'integration/http/fuzz.spec');
await import('./test.mjs');
