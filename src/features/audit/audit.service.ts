import { Injectable } from '@nestjs/common';
import type { AuditAction, AuditRecord } from './audit-record.js';
import { AuditRepository, type StoredAuditEntry } from './audit.repository.js';

/** The record of what happened to accounts: who, what, when, from where. */
@Injectable()
export class AuditService {
  constructor(private readonly entries: AuditRepository) {}

  /** Resolves when it is written: what was done is not confirmed before. */
  record(action: AuditAction, record: AuditRecord): Promise<void> {
    return this.entries.insert({ action, ...record });
  }

  /** Newest first. */
  list(
    filter: { readonly userId: string | undefined },
    slice: { readonly limit: number; readonly after: string | undefined },
  ): Promise<StoredAuditEntry[]> {
    return this.entries.list(filter, slice);
  }
}
