import { Injectable } from '@nestjs/common';
import type { AuditAction, AuditRecord } from './audit-record.js';
import { AuditRepository, type StoredAuditEntry } from './audit.repository.js';

/** The audit log of accounts: who did what, when and from where. */
@Injectable()
export class AuditService {
  constructor(private readonly entries: AuditRepository) {}

  /** Records an action. Resolves once it is stored: an action is not confirmed before that. */
  record(action: AuditAction, record: AuditRecord): Promise<void> {
    return this.entries.insert({ action, ...record });
  }

  /** Lists entries, newest first. */
  listEntries(
    filter: { readonly userId: string | undefined },
    slice: { readonly limit: number; readonly after: string | undefined },
  ): Promise<StoredAuditEntry[]> {
    return this.entries.listEntries(filter, slice);
  }
}
