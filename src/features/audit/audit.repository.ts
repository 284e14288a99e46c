import { Injectable } from '@nestjs/common';
import { lowestIdAt, newId } from '../../common/ids.js';
import { PrismaService } from '../../infra/database/index.js';
import type { AuditAction, AuditRecord } from './audit-record.js';

/** An entry as it is stored. */
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

  async insert(entry: AuditRecord & { readonly action: AuditAction }): Promise<void> {
    const { actor, action, userId = null, subject = null, detail } = entry;
    const data = { id: newId(), actorId: actor.userId, address: actor.address, action, userId, subject };
    await this.prisma.run((client) =>
      client.auditEntry.create({
        data: { ...data, ...(detail && { detail }) },
        select: { id: true },
      }),
    );
  }

  /** Deletes what was written before a time, in milliseconds since 1970, and tells how much it was. */
  async deleteBefore(time: number): Promise<number> {
    const where = { id: { lt: lowestIdAt(time) } };
    const { count } = await this.prisma.run((client) => client.auditEntry.deleteMany({ where }));
    return count;
  }

  /** Newest first; ids rise in time. */
  list(
    filter: { readonly userId: string | undefined },
    { limit, after }: { readonly limit: number; readonly after: string | undefined },
  ): Promise<StoredAuditEntry[]> {
    const { userId } = filter;
    return this.prisma.run((client) =>
      client.auditEntry.findMany({
        where: {
          ...(userId !== undefined && { OR: [{ userId }, { actorId: userId }] }),
          ...(after !== undefined && { id: { lt: after } }),
        },
        orderBy: { id: 'desc' },
        take: limit,
      }),
    );
  }
}
