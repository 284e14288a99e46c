import { describe, expect, it } from '@jest/globals';
import type { Actor } from '../../common/actor.js';
import { Clock } from '../../common/clock.js';
import { DatabaseUnavailableError, PrismaService } from '../../infra/database/index.js';
import { Broadcast, RedisConnection } from '../../infra/redis/index.js';
import { AuditRepository } from '../audit/index.js';
import { AccountDeletionRepository, type OwnedTable } from './account-deletion.repository.js';
import { AccountDeletionService, REQUEST_WAIT_MS } from './account-deletion.service.js';
import { UserDeletionHook } from './user-deletion-hook.js';

const ACTOR: Actor = { userId: 'admin', address: '192.0.2.1' };

/** Never connected: Prisma connects with the first query. */
const nowhere = new PrismaService({ connectionString: 'postgresql://127.0.0.1:1/none', poolMax: 1 });

/** An in-memory repository with rows of one account: the given number for each table. */
class Rows extends AccountDeletionRepository {
  /** Size of the largest batch that the database can delete in time. */
  manageable = 1_000;

  constructor(
    private readonly events: string[],
    private readonly rows: Partial<Record<OwnedTable, number>> = {},
  ) {
    super(nowhere, new AuditRepository(nowhere));
  }

  override requestDeletion(_actor: Actor, id: string): Promise<boolean> {
    this.events.push(`request ${id}`);
    return Promise.resolve(true);
  }

  override listPendingDeletions(after: string | undefined): Promise<string[]> {
    return Promise.resolve(after === undefined ? ['ada', 'bob'] : []);
  }

  override releaseEmail(id: string): Promise<void> {
    this.events.push(`release email of ${id}`);
    return Promise.resolve();
  }

  override deleteBatch(_id: string, table: OwnedTable, limit: number): Promise<number> {
    const rows = this.rows[table] ?? 0;
    const deleted = Math.min(rows, limit);
    if (deleted > this.manageable) return Promise.reject(new DatabaseUnavailableError(new Error('57014')));
    this.rows[table] = rows - deleted;
    if (deleted > 0) this.events.push(`${deleted} of ${table}`);
    return Promise.resolve(deleted);
  }

  override deleteAccount(id: string): Promise<void> {
    this.events.push(`delete ${id}`);
    return Promise.resolve();
  }
}

class Words extends Broadcast {
  constructor(private readonly events: string[]) {
    super(new RedisConnection(undefined));
  }

  override publish(_channel: string, message: string): Promise<void> {
    this.events.push(`publish ${message}`);
    return Promise.resolve();
  }
}

class Hook extends UserDeletionHook {
  constructor(
    private readonly name: string,
    private readonly events: string[],
    private readonly failsFor?: string,
  ) {
    super();
  }

  override stop(userId: string): Promise<void> {
    return this.note('stop', userId);
  }

  override removeData(userId: string): Promise<void> {
    return this.note('remove', userId);
  }

  private async note(what: string, userId: string): Promise<void> {
    // Detects a caller that does not wait for a hook.
    await new Promise(setImmediate);
    this.events.push(`${what} ${this.name} of ${userId}`);
    if (this.failsFor === userId) throw new Error('the files are away');
  }
}

/** A clock on which every wait ends immediately. */
class SkippingClock extends Clock {
  readonly waits: number[] = [];

  override wait(ms: number): Promise<void> {
    this.waits.push(ms);
    return Promise.resolve();
  }
}

/** A hook that never finishes removing its data. */
class StuckHook extends UserDeletionHook {
  override stop(): Promise<void> {
    return Promise.resolve();
  }

  override removeData(): Promise<void> {
    return Promise.withResolvers<undefined>().promise;
  }
}

function serviceOver(
  rows: Rows,
  events: string[],
  hooks: readonly UserDeletionHook[],
  clock = new Clock(),
): AccountDeletionService {
  return new AccountDeletionService(rows, new Words(events), hooks, clock);
}

describe('deleting an account', () => {
  it("revokes access, stops running operations, then deletes rows, files, and finally the account's own row", async () => {
    const events: string[] = [];
    const rows = new Rows(events, { conversations: 2_500, usage_records: 3, files: 2 });
    const hooks = [new Hook('turns', events), new Hook('files', events)];
    await serviceOver(rows, events, hooks).delete(ACTOR, 'ada');
    expect(events).toEqual([
      'request ada',
      'publish revoked user ada',
      'stop turns of ada',
      'stop files of ada',
      'release email of ada',
      '3 of usage_records',
      '1000 of conversations',
      '1000 of conversations',
      '500 of conversations',
      'remove turns of ada',
      'remove files of ada',
      '2 of files',
      'delete ada',
    ]);
  });

  it('responds after ten seconds, even if the deletion is not complete', async () => {
    const events: string[] = [];
    const clock = new SkippingClock();
    await serviceOver(new Rows(events), events, [new StuckHook()], clock).delete(ACTOR, 'ada');
    expect(clock.waits).toEqual([REQUEST_WAIT_MS]);
    expect(REQUEST_WAIT_MS).toBe(10_000);
    expect(events).not.toContain('delete ada');
  });

  it('continues with smaller batches if one exceeds the statement timeout', async () => {
    const events: string[] = [];
    const rows = new Rows(events, { conversations: 300 });
    rows.manageable = 125;
    await serviceOver(rows, events, []).delete(ACTOR, 'ada');
    expect(events).toEqual(
      expect.arrayContaining(['125 of conversations', '50 of conversations', 'delete ada']),
    );
  });

  it('does not delete the account’s row if a hook fails, and still resumes other accounts', async () => {
    const events: string[] = [];
    const service = serviceOver(new Rows(events), events, [new Hook('files', events, 'ada')]);
    await service.delete(ACTOR, 'ada');
    expect(events).not.toContain('delete ada');
    await service.resume(new AbortController().signal);
    expect(events).not.toContain('delete ada');
    expect(events).toContain('delete bob');
  });
});
