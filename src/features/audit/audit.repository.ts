import { Injectable } from '@nestjs/common';
import { minIdAt, newId } from '../../common/ids.js';
import { deleteInBatches, PrismaService, type Transaction } from '../../infra/database/index.js';
import type { AuditAction, AuditRecord } from './audit-record.js';

/** A stored entry. */
export interface StoredAuditEntry {
  readonly id: string;
  readonly actorId: string | null;
  readonly action: string;
  readonly userId: string | null;
  readonly subject: string | null;
  readonly address: string | null;
  readonly detail: unknown;
  readonly at: Date;
}

@Injectable()
export class AuditRepository {
  constructor(private readonly prisma: PrismaService) {}

  /**
   * Stores an entry.
   * @param transaction transaction that the entry belongs to, if any
   */
  async insert(
    entry: AuditRecord & { readonly action: AuditAction },
    transaction?: Transaction,
  ): Promise<void> {
    const { actor, action, userId = null, subject = null, detail } = entry;
    const data = { id: newId(), actorId: actor.userId, address: actor.address, action, userId, subject };
    await this.prisma.run((client) =>
      (transaction ?? client).auditEntry.create({
        data: { ...data, ...(detail && { detail }) },
        select: { id: true },
      }),
    );
  }

  /**
   * Deletes entries older than a time, in milliseconds since 1970, until the signal aborts.
   * @returns the number of deleted entries
   */
  deleteBefore(time: number, signal?: AbortSignal): Promise<number> {
    const before = minIdAt(time);
    return deleteInBatches(
      (limit) =>
        this.prisma.run(
          (client) => client.$executeRaw`
            DELETE FROM audit_log WHERE id IN (
              SELECT id FROM audit_log WHERE id < ${before}::uuid ORDER BY id LIMIT ${limit})`,
        ),
      signal,
    );
  }

  /** Lists entries, newest first; ids increase over time. */
  async listEntries(
    filter: { readonly userId: string | undefined },
    { limit, after }: { readonly limit: number; readonly after: string | undefined },
  ): Promise<StoredAuditEntry[]> {
    const { userId } = filter;
    const before = after === undefined ? {} : { id: { lt: after } };
    const read = (where: object): Promise<StoredAuditEntry[]> =>
      this.prisma.run((client) =>
        client.auditEntry.findMany({ where: { ...before, ...where }, orderBy: { id: 'desc' }, take: limit }),
      );
    if (userId === undefined) return read({});
    // Actions by an account and actions on it are in two indexes. A single statement would read and sort all rows of
    // both; one page of each is enough for a page of both.
    const [suffered, done] = await Promise.all([read({ userId }), read({ actorId: userId })]);
    const entries = new Map([...suffered, ...done].map((entry) => [entry.id, entry]));
    return [...entries.values()].sort((one, other) => (one.id < other.id ? 1 : -1)).slice(0, limit);
  }
}
