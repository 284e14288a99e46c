import { Injectable } from '@nestjs/common';
import { PrismaService } from '../../infra/database/index.js';

/** A stored API key, without its hash. */
export interface StoredApiKey {
  readonly id: string;
  readonly name: string;
  readonly prefix: string;
  readonly scopes: string[];
  readonly createdAt: Date;
  readonly expiresAt: Date | null;
  readonly lastUsedAt: Date | null;
}

/** A key presented by a caller, and its account. */
export interface PresentedKey {
  readonly id: string;
  readonly userId: string;
  readonly scopes: string[];
  readonly revoked: boolean;
  readonly expired: boolean;
  readonly role: 'user' | 'admin';
  readonly disabled: boolean;
  readonly cacheGeneration: number;
}

const SHOWN = {
  id: true,
  name: true,
  prefix: true,
  scopes: true,
  createdAt: true,
  expiresAt: true,
  lastUsedAt: true,
} as const;

/** Stores API keys. Queries of owners filter by owner; only a key itself is looked up by its hash alone. */
@Injectable()
export class ApiKeyRepository {
  constructor(private readonly prisma: PrismaService) {}

  insert(key: {
    id: string;
    userId: string;
    name: string;
    prefix: string;
    hash: Uint8Array<ArrayBuffer>;
    scopes: string[];
    expiresAt: Date | null;
  }): Promise<StoredApiKey> {
    return this.prisma.run((client) => client.apiKey.create({ data: key, select: SHOWN }));
  }

  /** Lists keys, newest first, without revoked ones. */
  listApiKeys(
    userId: string,
    { limit, after }: { readonly limit: number; readonly after: string | undefined },
  ): Promise<StoredApiKey[]> {
    return this.prisma.run((client) =>
      client.apiKey.findMany({
        where: { userId, revokedAt: null, ...(after !== undefined && { id: { lt: after } }) },
        orderBy: { id: 'desc' },
        take: limit,
        select: SHOWN,
      }),
    );
  }

  /**
   * Revokes a key. The row stays, so that callers still using it get an explanation.
   * @returns whether the key existed
   */
  async revoke(userId: string, id: string): Promise<boolean> {
    const { count } = await this.prisma.run((client) =>
      client.apiKey.updateMany({ where: { id, userId, revokedAt: null }, data: { revokedAt: new Date() } }),
    );
    return count === 1;
  }

  async findPresentedKey(hash: Uint8Array): Promise<PresentedKey | undefined> {
    const [key] = await this.prisma.run(
      (client) => client.$queryRaw<PresentedKey[]>`
        SELECT k.id, k.user_id AS "userId", k.scopes, k.revoked_at IS NOT NULL AS revoked,
          coalesce(k.expires_at <= now(), false) AS expired, u.role::text AS role, u.disabled_at IS NOT NULL AS disabled,
          u.cache_generation AS "cacheGeneration"
        FROM api_keys k JOIN users u ON u.id = k.user_id
        WHERE k.hash = ${hash}`,
    );
    return key;
  }

  /** Records that the key was used, at most once a minute, however often it is used. */
  async recordUse(userId: string, id: string): Promise<void> {
    await this.prisma.run(
      (client) => client.$executeRaw`
        UPDATE api_keys SET last_used_at = now()
        WHERE id = ${id}::uuid AND user_id = ${userId}::uuid
          AND (last_used_at IS NULL OR last_used_at < now() - interval '1 minute')`,
    );
  }
}
