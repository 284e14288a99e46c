/*
 * node scripts/audit.mjs <spec> [jest arguments]
 *
 * Runs a randomized audit (test/e2e/audit.spec.ts, audit-retrieval.spec.ts or audit-batches.spec.ts) with ten seeds, or
 * AUDIT_RUNS of them, starting at AUDIT_SEED. That of batches kills everything AUDIT_KILLS times in one batch as well,
 * 200 by default.
 */
process.env.AUDIT_RUNS ??= '10';
process.env.AUDIT_KILLS ??= '200';
process.argv.splice(2, 0, '--only', 'e2e');
await import('./test.mjs');
