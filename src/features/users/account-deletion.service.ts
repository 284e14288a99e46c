import { type BeforeApplicationShutdown, Inject, Injectable, Logger } from '@nestjs/common';
import { ACCESS_CHANNEL, serializeAccessChange } from '../../common/access-change.js';
import type { Actor } from '../../common/actor.js';
import { Clock } from '../../common/clock.js';
import { AppError, NotFoundError } from '../../common/errors.js';
import { Broadcast } from '../../infra/redis/index.js';
import {
  AccountDeletionRepository,
  OWNED_TABLES,
  type OwnedTable,
  STORED_FILE_TABLES,
} from './account-deletion.repository.js';
import { USER_DELETION_HOOKS, type UserDeletionHook } from './user-deletion-hook.js';

/** Maximum time that a request waits for the deletion to complete, in milliseconds. */
export const REQUEST_WAIT_MS = 10_000;

/** Number of rows deleted per transaction, which must stay far below the statement timeout. */
const BATCH = 1_000;

/** Number of accounts to read at once when resuming. */
const PAGE = 100;

/**
 * Deletes accounts of any size: first the account is permanently disabled in one commit, then its rows are deleted
 * in batches, then its files, and finally its own row. An interrupted deletion is resumed from what is left, even
 * after a kill.
 */
@Injectable()
export class AccountDeletionService implements BeforeApplicationShutdown {
  private readonly logger = new Logger(AccountDeletionService.name);
  private readonly running = new Map<string, Promise<void>>();
  private stopping = false;

  constructor(
    private readonly accounts: AccountDeletionRepository,
    private readonly broadcast: Broadcast,
    @Inject(USER_DELETION_HOOKS) private readonly hooks: readonly UserDeletionHook[],
    private readonly clock: Clock,
  ) {}

  async beforeApplicationShutdown(): Promise<void> {
    this.stopping = true;
    await Promise.all(this.running.values());
  }

  /**
   * Deletes an account with everything it owns. Once this resolves, nobody can use or see the account; the data of a
   * large one may still be in the process of deletion. May be called again.
   * @throws NotFoundError
   * @throws LastAdminError
   */
  async delete(actor: Actor, userId: string): Promise<void> {
    if (!(await this.accounts.requestDeletion(actor, userId))) throw new NotFoundError('user', userId);
    await this.broadcast.publish(ACCESS_CHANNEL, serializeAccessChange({ kind: 'revoked', userId }));
    const patience = new AbortController();
    await Promise.race([this.runDeletion(userId), this.clock.wait(REQUEST_WAIT_MS, patience.signal)]);
    patience.abort();
  }

  /** Resumes deletions that this or another process has left unfinished. */
  async resume(signal: AbortSignal): Promise<void> {
    let after: string | undefined;
    do {
      const page = await this.accounts.listPendingDeletions(after, PAGE);
      for (const userId of page) if (!signal.aborted) await this.runDeletion(userId);
      after = page.at(-1);
    } while (after !== undefined && !signal.aborted);
  }

  /** Runs a deletion, once at a time per account. Never rejects: a failed deletion is resumed later. */
  private runDeletion(userId: string): Promise<void> {
    const running = this.running.get(userId);
    if (running !== undefined) return running;
    const run = this.deleteEverything(userId)
      .catch((error: unknown) => {
        this.logger.warn({ err: error, user: userId }, 'could not delete an account; will retry');
      })
      .finally(() => this.running.delete(userId));
    this.running.set(userId, run);
    return run;
  }

  private async deleteEverything(userId: string): Promise<void> {
    for (const hook of this.hooks) await hook.stop(userId);
    await this.accounts.releaseEmail(userId);
    // A request admitted before the account was disabled may have added rows to a table that was already empty.
    for (let deleted: number | undefined; deleted !== 0;) {
      deleted = 0;
      for (const table of OWNED_TABLES) {
        const count = await this.empty(userId, table);
        if (count === 'unfinished') return;
        deleted += count;
      }
    }
    for (const hook of this.hooks) await hook.removeData(userId);
    for (const table of STORED_FILE_TABLES) if ((await this.empty(userId, table)) === 'unfinished') return;
    await this.accounts.deleteAccount(userId);
  }

  /**
   * Deletes an account's rows of a table.
   * @returns the number of deleted rows; `unfinished` if this process is stopping or another one is deleting them
   */
  private async empty(userId: string, table: OwnedTable): Promise<number | 'unfinished'> {
    let total = 0;
    let limit = BATCH;
    while (!this.stopping) {
      try {
        const deleted = await this.accounts.deleteBatch(userId, table, limit);
        if (deleted === 'locked') return 'unfinished';
        if (deleted === 0) return total;
        total += deleted;
      } catch (error) {
        // Very large rows may exceed the statement timeout. If the database is unavailable, even the smallest batch
        // fails.
        if (!isUnavailable(error) || limit === 1) throw error;
        limit = Math.ceil(limit / 8);
      }
    }
    return 'unfinished';
  }
}

/** Returns true if the database was unavailable or a statement timed out. */
function isUnavailable(error: unknown): boolean {
  return error instanceof AppError && error.code === 'service_unavailable';
}
