import { Injectable } from '@nestjs/common';
import type { AccountAccess } from '../../common/caller.js';
import { PrismaService } from '../../infra/database/index.js';

/** The current permissions of an account, and of the API key that acts for it. */
export interface CurrentAccess {
  readonly disabled: boolean;
  readonly cacheGeneration: number;
  /** True if the key is unknown, revoked or expired. */
  readonly keyInvalid: boolean;
  /** Null without a key. */
  readonly scopes: string[] | null;
}

/** Reads the permissions of accounts. */
@Injectable()
export class AccountAccessRepository {
  constructor(private readonly prisma: PrismaService) {}

  /** Returns the permissions of an account and its key; undefined if there is no such account. */
  async findAccess({ userId, apiKeyId }: AccountAccess): Promise<CurrentAccess | undefined> {
    const [access] = await this.prisma.run(
      (client) => client.$queryRaw<CurrentAccess[]>`
        SELECT users.disabled_at IS NOT NULL AS disabled, users.cache_generation AS "cacheGeneration",
          ${apiKeyId}::uuid IS NOT NULL AND api_keys.id IS NULL AS "keyInvalid", api_keys.scopes
        FROM users LEFT JOIN api_keys ON api_keys.id = ${apiKeyId}::uuid AND api_keys.user_id = users.id
          AND api_keys.revoked_at IS NULL AND (api_keys.expires_at IS NULL OR api_keys.expires_at > now())
        WHERE users.id = ${userId}::uuid`,
    );
    return access;
  }
}
