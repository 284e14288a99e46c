/*
 * node scripts/audit.mjs <spec> [jest arguments]
 *
 * Runs a randomized audit (test/e2e/audit.spec.ts or audit-retrieval.spec.ts) with ten seeds, or AUDIT_RUNS of them,
 * starting at AUDIT_SEED.
 */
process.env.AUDIT_RUNS ??= '10';
process.argv.splice(2, 0, '--only', 'e2e');
await import('./test.mjs');
