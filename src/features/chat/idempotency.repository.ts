import { Injectable } from '@nestjs/common';
import { newId } from '../../common/ids.js';
import { deleteInBatches, PrismaService, type Transaction } from '../../infra/database/index.js';
import { DuplicateRequestError } from './chat.errors.js';
import type { Idempotency } from './turn.js';

/** How long a request is known again, in hours. */
const KEPT_HOURS = 24;

/** What a request with the same key began. */
export interface KnownRequest {
  readonly fingerprint: Uint8Array;
  /** Null where the answer has been deleted since. */
  readonly messageId: string | null;
}

/** Requests that their clients named. */
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

  /**
   * Takes the key for this request. Of many that come at once the unique index lets one through; the others wait until
   * it has committed and are refused then, or go on where it has not.
   * @returns the id of the claim
   * @throws DuplicateRequestError
   */
  async claim(transaction: Transaction, userId: string, idempotency: Idempotency): Promise<string> {
    const { route, key, fingerprint } = idempotency;
    const [claim] = await transaction.$queryRaw<{ id: string }[]>`
      INSERT INTO idempotency_keys (id, user_id, route, key, fingerprint)
      VALUES (${newId()}::uuid, ${userId}::uuid, ${route}, ${key}, ${fingerprint})
      ON CONFLICT (user_id, route, key) DO UPDATE
        SET fingerprint = EXCLUDED.fingerprint, message_id = NULL, created_at = now()
        WHERE idempotency_keys.created_at <= now() - make_interval(hours => ${KEPT_HOURS}::int)
      RETURNING id`;
    if (claim === undefined) throw new DuplicateRequestError();
    return claim.id;
  }

  /** Says what the claimed request began. */
  async name(transaction: Transaction, claim: string, messageId: string): Promise<void> {
    await transaction.idempotencyKey.update({
      where: { id: claim },
      data: { messageId },
      select: { id: true },
    });
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
