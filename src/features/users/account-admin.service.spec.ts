import { describe, expect, it } from '@jest/globals';
import type { Actor } from '../../common/actor.js';
import { PrismaService } from '../../infra/database/index.js';
import { Broadcast, RedisConnection } from '../../infra/redis/index.js';
import { type AuditAction, AuditService } from '../audit/index.js';
import { AuditRepository } from '../audit/audit.repository.js';
import { AccountAdminService } from './account-admin.service.js';
import { PurgeHook } from './purge-hook.js';
import { type StoredUser, type UserChanges, UserRepository } from './user.repository.js';

const ACTOR: Actor = { userId: 'admin', address: '192.0.2.1' };

const USER: StoredUser = {
  id: 'ada',
  email: 'ada@example.com',
  passwordHash: '',
  role: 'user',
  disabledAt: null,
  quotaTokensDay: null,
  quotaCostMonthMicroUsd: null,
  createdAt: new Date(0),
};

/** Nothing is connected: Prisma connects with the first query. */
const nowhere = new PrismaService({ connectionString: 'postgresql://127.0.0.1:1/none', poolMax: 1 });

class Rows extends UserRepository {
  constructor(private readonly events: string[]) {
    super(nowhere);
  }

  override update(id: string, changes: UserChanges): Promise<StoredUser | undefined> {
    this.events.push(`update ${id} ${JSON.stringify(changes)}`);
    return Promise.resolve(USER);
  }

  override delete(id: string): Promise<boolean> {
    this.events.push(`delete ${id}`);
    return Promise.resolve(true);
  }
}

class Log extends AuditService {
  constructor(private readonly events: string[]) {
    super(new AuditRepository(nowhere));
  }

  override record(action: AuditAction): Promise<void> {
    this.events.push(`audit ${action}`);
    return Promise.resolve();
  }
}

class Words extends Broadcast {
  constructor(private readonly events: string[]) {
    super(new RedisConnection(undefined));
  }

  override publish(_channel: string, message: string): Promise<void> {
    this.events.push(`tell ${message}`);
    return Promise.resolve();
  }
}

class Hook extends PurgeHook {
  constructor(
    private readonly name: string,
    private readonly events: string[],
    private readonly fails = false,
  ) {
    super();
  }

  override async purge(userId: string): Promise<void> {
    // Whoever does not wait for a hook is found out.
    await new Promise(setImmediate);
    this.events.push(`${this.name} ${userId}`);
    if (this.fails) throw new Error('the files are away');
  }
}

describe('deleting an account', () => {
  it('shuts it, stops what runs, runs each hook to its end, and only then removes the rows', async () => {
    const events: string[] = [];
    const hooks = [new Hook('turns', events), new Hook('files', events)];
    const accounts = new AccountAdminService(new Rows(events), new Log(events), new Words(events), hooks);
    await accounts.delete(ACTOR, 'ada');
    expect(events).toEqual([
      'update ada {"disabled":true}',
      'tell revoked user ada',
      'turns ada',
      'files ada',
      'delete ada',
      'audit user.deleted',
    ]);
  });

  it('keeps the rows where a hook fails, so that it can be done again', async () => {
    const events: string[] = [];
    const hooks = [new Hook('files', events, true)];
    const accounts = new AccountAdminService(new Rows(events), new Log(events), new Words(events), hooks);
    await expect(accounts.delete(ACTOR, 'ada')).rejects.toThrow('the files are away');
    expect(events).not.toContain('delete ada');
  });
});
