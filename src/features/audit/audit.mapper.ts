import type { AuditEntryBody } from './audit.dto.js';
import type { StoredAuditEntry } from './audit.repository.js';

/** Converts an entry to its API representation for admins. */
export function toAuditEntryBody(entry: StoredAuditEntry): AuditEntryBody {
  const { id, action, actorId, userId, subject, address, detail, at } = entry;
  return {
    id,
    action,
    actor_id: actorId,
    user_id: userId,
    subject,
    address,
    detail: typeof detail === 'object' ? detail : null,
    at: at.toISOString(),
  };
}
