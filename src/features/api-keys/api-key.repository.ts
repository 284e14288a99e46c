import { Injectable } from '@nestjs/common';
import { PrismaService } from '../../infra/database/index.js';

/** A key as its owner sees it. */
export interface StoredApiKey {
  readonly id: string;
  readonly name: string;
  readonly prefix: string;
  readonly scopes: string[];
  readonly createdAt: Date;
  readonly expiresAt: Date | null;
  readonly lastUsedAt: Date | null;
}

/** A key that somebody came with, and its account. */
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

/** API keys. What owners ask filters by the owner; only a key itself is looked up by its hash alone. */
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

  /** Newest first, without revoked ones. */
  list(
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

  /** The row stays, so that who still uses the key is told what became of it. @returns whether there was one */
  async revoke(userId: string, id: string): Promise<boolean> {
    const { count } = await this.prisma.run((client) =>
      client.apiKey.updateMany({ where: { id, userId, revokedAt: null }, data: { revokedAt: new Date() } }),
    );
    return count === 1;
  }

  async find(hash: Uint8Array): Promise<PresentedKey | undefined> {
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

  /** Writes that the key was used, once a minute at the most, whoever asks how often. */
  async touch(userId: string, id: string): Promise<void> {
    await this.prisma.run(
      (client) => client.$executeRaw`
        UPDATE api_keys SET last_used_at = now()
        WHERE id = ${id}::uuid AND user_id = ${userId}::uuid
          AND (last_used_at IS NULL OR last_used_at < now() - interval '1 minute')`,
    );
  }
}
