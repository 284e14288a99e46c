import { Injectable } from '@nestjs/common';
import { isUniqueViolation, PrismaService, type Transaction } from '../../infra/database/index.js';
import { LastAdminError } from './user.errors.js';

export type UserRole = 'user' | 'admin';

/** A stored account. */
export interface StoredUser {
  readonly id: string;
  readonly email: string;
  readonly passwordHash: string;
  readonly role: UserRole;
  readonly disabledAt: Date | null;
  readonly quotaTokensDay: bigint | null;
  readonly quotaCostMonthMicroUsd: bigint | null;
  readonly createdAt: Date;
}

/** Changes that an admin makes to an account; undefined leaves a field as it is. */
export interface UserChanges {
  readonly role?: UserRole | undefined;
  readonly disabled?: boolean | undefined;
  readonly quotaTokensDay?: bigint | null | undefined;
  readonly quotaCostMonthMicroUsd?: bigint | null | undefined;
}

/** Keys of advisory locks; PostgreSQL shares them among all users of the database. */
const LOCKS = { admins: 7_031_001 } as const;

@Injectable()
export class UserRepository {
  constructor(private readonly prisma: PrismaService) {}

  /**
   * Inserts an account. The unique index on `email` decides races.
   * @param user.email normalized
   * @param user.role `first_is_admin` makes the very first account an admin; a lock ensures that only one is the
   *   first
   * @returns undefined if the address is taken
   */
  async insert(user: {
    id: string;
    email: string;
    passwordHash: string;
    role: UserRole | 'first_is_admin';
  }): Promise<StoredUser | undefined> {
    try {
      return await this.prisma.transaction(async (transaction) => {
        let { role } = user;
        if (role === 'first_is_admin') {
          await lockAdmins(transaction);
          role = (await transaction.user.findFirst({ select: { id: true } })) === null ? 'admin' : 'user';
        }
        return transaction.user.create({ data: { ...user, role } });
      });
    } catch (error) {
      if (isUniqueViolation(error, 'email')) return undefined;
      throw error;
    }
  }

  /**
   * Finds the account with one of these addresses, preferring the first. Like all reads, excludes accounts that are
   * being deleted.
   */
  async findByEmail(forms: readonly string[]): Promise<StoredUser | null> {
    const users = await this.prisma.run((client) =>
      client.user.findMany({ where: { email: { in: [...forms] }, deletionRequestedAt: null } }),
    );
    const found = forms.map((form) => users.find(({ email }) => email === form));
    return found.find((user) => user !== undefined) ?? null;
  }

  findById(id: string): Promise<StoredUser | null> {
    return this.prisma.run((client) => client.user.findUnique({ where: { id, deletionRequestedAt: null } }));
  }

  /** Lists accounts, newest first; ids increase over time. */
  listUsers(
    emailPrefix: string | undefined,
    { limit, after }: { readonly limit: number; readonly after: string | undefined },
  ): Promise<StoredUser[]> {
    return this.prisma.run((client) =>
      client.user.findMany({
        where: {
          deletionRequestedAt: null,
          ...(emailPrefix !== undefined && { email: { startsWith: literal(emailPrefix) } }),
          ...(after !== undefined && { id: { lt: after } }),
        },
        orderBy: { id: 'desc' },
        take: limit,
      }),
    );
  }

  /**
   * Changes the address of an account.
   * @returns the account, `taken` if another one has the address, or undefined if it no longer exists
   */
  async changeEmail(id: string, email: string): Promise<StoredUser | 'taken' | undefined> {
    try {
      const [user] = await this.prisma.run((client) =>
        client.user.updateManyAndReturn({ where: { id, deletionRequestedAt: null }, data: { email } }),
      );
      return user;
    } catch (error) {
      if (isUniqueViolation(error, 'email')) return 'taken';
      throw error;
    }
  }

  /**
   * Changes an account. Disabling it ends its sessions, so that enabling it does not restore them.
   * @throws LastAdminError if no enabled admin would be left
   */
  update(id: string, changes: UserChanges): Promise<StoredUser | undefined> {
    const { disabled, role, quotaTokensDay, quotaCostMonthMicroUsd } = changes;
    return this.prisma.transaction(async (transaction) => {
      if (role === 'user' || disabled === true) await assertOtherAdmin(transaction, id);
      const [user] = await transaction.user.updateManyAndReturn({
        where: { id, deletionRequestedAt: null },
        data: {
          ...(role !== undefined && { role }),
          ...(disabled !== undefined && { disabledAt: disabled ? new Date() : null }),
          ...(quotaTokensDay !== undefined && { quotaTokensDay }),
          ...(quotaCostMonthMicroUsd !== undefined && { quotaCostMonthMicroUsd }),
        },
      });
      // After the account's row, which every transaction that starts a session locks first.
      if (disabled === true) {
        const open = { userId: id, revokedAt: null };
        await transaction.refreshToken.updateMany({ where: open, data: { revokedAt: new Date() } });
      }
      return user;
    });
  }
}

/**
 * Serializes changes of admins until the transaction ends: if two demote each other, the second sees the first
 * change.
 */
async function lockAdmins(transaction: Transaction): Promise<void> {
  await transaction.$executeRaw`SELECT pg_advisory_xact_lock(${LOCKS.admins})`;
}

/**
 * Serializes changes of admins until the transaction ends.
 * @throws LastAdminError if the account is the only admin that is not disabled
 */
export async function assertOtherAdmin(transaction: Transaction, id: string): Promise<void> {
  await lockAdmins(transaction);
  const admin = { role: 'admin', disabledAt: null } as const;
  if ((await transaction.user.count({ where: { ...admin, id } })) === 0) return;
  if ((await transaction.user.count({ where: { ...admin, id: { not: id } } })) === 0)
    throw new LastAdminError();
}

/** Escapes the wildcards of LIKE, which Prisma does not. */
function literal(text: string): string {
  return text.replaceAll(/[\\%_]/g, '\\$&');
}
