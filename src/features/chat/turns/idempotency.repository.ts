import { Injectable } from '@nestjs/common';
import { deleteInBatches, PrismaService } from '../../../infra/database/index.js';
import type { Idempotency } from '../model/turn.js';

/** How long a request is known again, in hours. */
export const KEPT_HOURS = 24;

/** What a request with the same key began. */
export interface KnownRequest {
  readonly fingerprint: Uint8Array;
  /** Null where the answer has been deleted since. */
  readonly messageId: string | null;
}

/** Requests that their clients named. A key is claimed by `begin_turn`, with the turn that it names. */
@Injectable()
export class IdempotencyRepository {
  constructor(private readonly prisma: PrismaService) {}

  /** What was begun under the key, or undefined where nothing was within a day. */
  async find(userId: string, { route, key }: Idempotency): Promise<KnownRequest | undefined> {
    const [known] = await this.prisma.run(
      (client) => client.$queryRaw<KnownRequest[]>`
        SELECT fingerprint, message_id AS "messageId" FROM idempotency_keys
        WHERE user_id = ${userId}::uuid AND route = ${route} AND key = ${key}
          AND created_at > now() - make_interval(hours => ${KEPT_HOURS}::int)`,
    );
    return known;
  }

  /** Forgets the keys of requests that are older than a day. */
  async sweep(): Promise<void> {
    await deleteInBatches((limit) =>
      this.prisma.run(
        (client) => client.$executeRaw`
          DELETE FROM idempotency_keys WHERE id IN (
            SELECT id FROM idempotency_keys
            WHERE created_at <= now() - make_interval(hours => ${KEPT_HOURS}::int) ORDER BY created_at LIMIT ${limit})
            AND created_at <= now() - make_interval(hours => ${KEPT_HOURS}::int)`,
      ),
    );
  }
}
