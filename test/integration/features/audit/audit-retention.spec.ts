// Real components: PostgreSQL.
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { Clock } from '../../../../src/common/clock.js';
import { AuditRepository } from '../../../../src/features/audit/audit.repository.js';
import { AuditRetention, AUDIT_RETENTION_MS } from '../../../../src/features/audit/audit-retention.js';
import { PrismaService } from '../../../../src/infra/database/index.js';
import { createMigratedDatabase, type TestDatabase } from '../../../support/database.js';

class SetClock extends Clock {
  time = Date.now();

  override now(): number {
    return this.time;
  }
}

let database: TestDatabase;
let prisma: PrismaService;

beforeAll(async () => {
  database = await createMigratedDatabase();
  prisma = new PrismaService({ connectionString: database.url, poolMax: 1 });
});

afterAll(async () => {
  await prisma.onApplicationShutdown();
  await database.drop();
});

it('an audit log entry is deleted after two years, and not before', async () => {
  const entries = new AuditRepository(prisma);
  const clock = new SetClock();
  const retention = new AuditRetention(entries, clock);
  const began = clock.time;
  await entries.insert({ actor: { userId: null, address: '192.0.2.1' }, action: 'session.refused' });
  clock.time = began + AUDIT_RETENTION_MS - 1_000;
  expect(await retention.run()).toBe(0);
  expect(await entries.listEntries({ userId: undefined }, { limit: 9, after: undefined })).toHaveLength(1);
  clock.time = began + AUDIT_RETENTION_MS + 60_000;
  expect(await retention.run()).toBe(1);
  expect(await entries.listEntries({ userId: undefined }, { limit: 9, after: undefined })).toEqual([]);
});
