/*
 * node scripts/audit-random.mjs [jest arguments]
 *
 * Runs the randomized audit (test/e2e/audit.spec.ts) with ten seeds, or AUDIT_RUNS of them, starting at AUDIT_SEED.
 */
process.env.AUDIT_RUNS ??= '10';
process.argv.splice(2, 0, '--only', 'e2e', 'test/e2e/audit.spec.ts');
await import('./test.mjs');
