import { Injectable } from '@nestjs/common';
import type { AccountCredential } from '../../common/caller.js';
import { newId } from '../../common/ids.js';
import { PrismaService, RETENTION_BATCH, type Transaction } from '../../infra/database/index.js';
import { hashToken, newRefreshToken, REFRESH_TOKEN_DAYS, REUSE_GRACE_SECONDS } from './refresh-token.js';

/** A session with its current refresh token. */
export interface OpenedSession {
  readonly userId: string;
  readonly sessionId: string;
  readonly refreshToken: string;
}

/** Result of exchanging a refresh token. */
export type TokenExchange =
  | ({ readonly result: 'exchanged' } & OpenedSession)
  | { readonly result: 'refused' }
  /** The token had already been exchanged, so two parties have it: the session is ended for both. */
  | { readonly result: 'reused'; readonly userId: string; readonly sessionId: string };

/** The account of a session and its permissions. */
export interface SessionAccount {
  readonly role: 'user' | 'admin';
  readonly disabled: boolean;
  readonly sessionOpen: boolean;
  readonly cacheGeneration: number;
}

interface FoundToken {
  readonly id: string;
  readonly userId: string;
  readonly family: string;
  readonly live: boolean;
  readonly rotated: boolean;
  readonly graceOver: boolean;
}

/**
 * Stores sessions, which are families of refresh tokens. Everything that starts or ends one locks the account's row
 * first, so that of two concurrent operations the second sees the effect of the first.
 */
@Injectable()
export class SessionRepository {
  constructor(private readonly prisma: PrismaService) {}

  /** Opens a session. Undefined if the password was changed or the account disabled since the hash was checked. */
  openSession(userId: string, passwordHash: string): Promise<OpenedSession | undefined> {
    return this.prisma.transaction(async (transaction) => {
      const account = await lockAccount(transaction, userId);
      if (account?.passwordHash !== passwordHash || account.disabled) return undefined;
      // Delete expired tokens, a limited number at each login, so that nobody waits for thousands.
      await transaction.$executeRaw`
        DELETE FROM refresh_tokens WHERE id IN (
          SELECT id FROM refresh_tokens WHERE user_id = ${userId}::uuid AND expires_at < now() LIMIT ${RETENTION_BATCH})`;
      return insertToken(transaction, { userId, sessionId: newId(), id: newId() });
    });
  }

  /** Exchanges a refresh token for the next one of its session. */
  exchangeToken(token: string): Promise<TokenExchange> {
    const hash = hashToken(token);
    return this.prisma.transaction(async (transaction): Promise<TokenExchange> => {
      const [owner] = await transaction.$queryRaw<{ userId: string }[]>`
        SELECT user_id AS "userId" FROM refresh_tokens WHERE hash = ${hash}`;
      if (owner === undefined) return { result: 'refused' };
      // This lock makes races harmless. Of two requests with the same token, the second waits here and then sees that
      // it was exchanged; and a session that ends in the meantime cannot miss the token that is about to be added.
      const account = await lockAccount(transaction, owner.userId);
      const found = await findToken(transaction, hash);
      if (found === undefined || !found.live || account?.disabled !== false) return { result: 'refused' };
      const { userId, family: sessionId } = found;
      if (found.rotated && found.graceOver) {
        await endSession(transaction, found);
        return { result: 'reused', userId, sessionId };
      }
      const id = newId();
      if (!found.rotated) {
        await transaction.$executeRaw`
          UPDATE refresh_tokens SET rotated_at = now(), replaced_by = ${id}::uuid WHERE id = ${found.id}::uuid`;
      }
      return { result: 'exchanged', ...(await insertToken(transaction, { id, userId, sessionId })) };
    });
  }

  /** Ends the session of a refresh token, or all sessions of its account. Undefined if the token is not valid. */
  endSession(token: string, everywhere: boolean): Promise<{ userId: string; sessionId: string } | undefined> {
    const hash = hashToken(token);
    return this.prisma.transaction(async (transaction) => {
      const found = await findToken(transaction, hash);
      if (found?.live !== true) return undefined;
      const { userId, family: sessionId } = found;
      await lockAccount(transaction, userId);
      await (everywhere ? endAllSessions(transaction, userId) : endSession(transaction, found));
      return { userId, sessionId };
    });
  }

  /**
   * Changes the password and ends all sessions.
   * @returns whether the password was still the one that had been checked
   */
  changePassword(userId: string, change: { readonly from: string; readonly to: string }): Promise<boolean> {
    return this.prisma.transaction(async (transaction) => {
      const account = await lockAccount(transaction, userId);
      if (account?.passwordHash !== change.from) return false;
      const data = { passwordHash: change.to };
      await transaction.user.update({ where: { id: userId }, data, select: { id: true } });
      await endAllSessions(transaction, userId);
      return true;
    });
  }

  /**
   * Returns the permissions of an access token's account, and whether its session is active. Undefined if it no
   * longer exists.
   */
  async findSessionAccount(userId: string, sessionId: string): Promise<SessionAccount | undefined> {
    const [account] = await this.prisma.run(
      (client) => client.$queryRaw<SessionAccount[]>`
        SELECT role::text AS role, disabled_at IS NOT NULL AS disabled, cache_generation AS "cacheGeneration", EXISTS (
          SELECT 1 FROM refresh_tokens
          WHERE family = ${sessionId}::uuid AND user_id = users.id AND revoked_at IS NULL) AS "sessionOpen"
        FROM users WHERE id = ${userId}::uuid`,
    );
    return account;
  }

  /** Returns true if the account is an enabled admin, and the session or key that acts for it is not revoked or expired. */
  async hasAdminAccess({ userId, sessionId, apiKeyId }: AccountCredential): Promise<boolean> {
    const [account] = await this.prisma.run(
      (client) => client.$queryRaw<unknown[]>`
        SELECT id FROM users WHERE id = ${userId}::uuid AND role = 'admin' AND disabled_at IS NULL AND (
          EXISTS (SELECT 1 FROM refresh_tokens
            WHERE family = ${sessionId}::uuid AND user_id = users.id AND revoked_at IS NULL)
          OR EXISTS (SELECT 1 FROM api_keys
            WHERE id = ${apiKeyId}::uuid AND user_id = users.id AND revoked_at IS NULL AND 'admin' = ANY(scopes)
              AND (expires_at IS NULL OR expires_at > now())))`,
    );
    return account !== undefined;
  }

  /** Returns those of the accounts and keys that have lost access: deleted, disabled, revoked or expired. */
  async findRevokedAccess(
    userIds: readonly string[],
    apiKeyIds: readonly string[],
  ): Promise<{ readonly users: ReadonlySet<string>; readonly apiKeys: ReadonlySet<string> }> {
    const users = [...new Set(userIds)];
    const apiKeys = [...new Set(apiKeyIds)];
    const open = await this.prisma.run(
      (client) => client.$queryRaw<{ id: string }[]>`
        SELECT id::text FROM users WHERE id = ANY(${users}::uuid[]) AND disabled_at IS NULL
        UNION ALL
        SELECT id::text FROM api_keys WHERE id = ANY(${apiKeys}::uuid[]) AND revoked_at IS NULL
          AND (expires_at IS NULL OR expires_at > now())`,
    );
    const ids = new Set(open.map(({ id }) => id));
    const missing = (all: readonly string[]): Set<string> => new Set(all.filter((id) => !ids.has(id)));
    return { users: missing(users), apiKeys: missing(apiKeys) };
  }
}

async function lockAccount(
  transaction: Transaction,
  userId: string,
): Promise<{ passwordHash: string; disabled: boolean } | undefined> {
  const [account] = await transaction.$queryRaw<{ passwordHash: string; disabled: boolean }[]>`
    SELECT password_hash AS "passwordHash", disabled_at IS NOT NULL AS disabled
    FROM users WHERE id = ${userId}::uuid FOR NO KEY UPDATE`;
  return account;
}

/** Finds a token. Times are compared by the database's clock, which all processes share. */
async function findToken(transaction: Transaction, hash: Uint8Array): Promise<FoundToken | undefined> {
  const [found] = await transaction.$queryRaw<FoundToken[]>`
    SELECT id, user_id AS "userId", family, revoked_at IS NULL AND expires_at > now() AS live,
      rotated_at IS NOT NULL AS rotated,
      coalesce(rotated_at + make_interval(secs => ${REUSE_GRACE_SECONDS}) < clock_timestamp(), false) AS "graceOver"
    FROM refresh_tokens WHERE hash = ${hash}`;
  return found;
}

async function insertToken(
  transaction: Transaction,
  { id, userId, sessionId }: { id: string; userId: string; sessionId: string },
): Promise<OpenedSession> {
  const refreshToken = newRefreshToken();
  const hash = hashToken(refreshToken);
  await transaction.$executeRaw`
    INSERT INTO refresh_tokens (id, user_id, family, hash, expires_at)
    VALUES (${id}::uuid, ${userId}::uuid, ${sessionId}::uuid, ${hash}, now() + make_interval(days => ${REFRESH_TOKEN_DAYS}))`;
  return { userId, sessionId, refreshToken };
}

async function endSession(transaction: Transaction, { userId, family }: FoundToken): Promise<void> {
  await transaction.$executeRaw`
    UPDATE refresh_tokens SET revoked_at = now()
    WHERE family = ${family}::uuid AND user_id = ${userId}::uuid AND revoked_at IS NULL`;
}

async function endAllSessions(transaction: Transaction, userId: string): Promise<void> {
  await transaction.$executeRaw`
    UPDATE refresh_tokens SET revoked_at = now() WHERE user_id = ${userId}::uuid AND revoked_at IS NULL`;
}
