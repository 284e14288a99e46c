import { Injectable } from '@nestjs/common';
import { deleteInBatches, PrismaService } from '../../../infra/database/index.js';
import type { Idempotency } from '../model/turn.js';

/** Retention of idempotency keys, in hours. */
export const RETENTION_HOURS = 24;

/** The turn that an earlier request with the same key started. */
export interface StoredRequest {
  readonly fingerprint: Uint8Array;
  /** Null if the answer has since been deleted. */
  readonly messageId: string | null;
}

/** Idempotency keys of requests. `start_turn` claims a key in the same statement that stores the turn. */
@Injectable()
export class IdempotencyRepository {
  constructor(private readonly prisma: PrismaService) {}

  /** Finds the request with this key; undefined if there was none within the last day. */
  async findRequest(userId: string, { route, key }: Idempotency): Promise<StoredRequest | undefined> {
    const [known] = await this.prisma.run(
      (client) => client.$queryRaw<StoredRequest[]>`
        SELECT fingerprint, message_id AS "messageId" FROM idempotency_keys
        WHERE user_id = ${userId}::uuid AND route = ${route} AND key = ${key}
          AND created_at > now() - make_interval(hours => ${RETENTION_HOURS}::int)`,
    );
    return known;
  }

  /** Deletes keys of requests older than a day. */
  async deleteExpiredKeys(): Promise<void> {
    await deleteInBatches((limit) =>
      this.prisma.run(
        (client) => client.$executeRaw`
          DELETE FROM idempotency_keys WHERE id IN (
            SELECT id FROM idempotency_keys
            WHERE created_at <= now() - make_interval(hours => ${RETENTION_HOURS}::int) ORDER BY created_at LIMIT ${limit})
            AND created_at <= now() - make_interval(hours => ${RETENTION_HOURS}::int)`,
      ),
    );
  }
}
