import type { Actor } from '../../common/actor.js';

/** What is written down. The words are part of the API: they do not change their meaning. */
export const AUDIT_ACTIONS = [
  'user.registered',
  'user.updated',
  'user.disabled',
  'user.enabled',
  'user.deleted',
  'user.password_changed',
  'admin.created',
  'session.opened',
  'session.refused',
  'session.reused',
  'session.ended',
  'session.ended_everywhere',
  'api_key.created',
  'api_key.revoked',
  'provider_key.set',
  'provider_key.deleted',
] as const;

export type AuditAction = (typeof AUDIT_ACTIONS)[number];

/** What changed, by name. Never a password, key, token, or a text of a user. */
export type AuditDetail = Readonly<Record<string, string | number | boolean | null | string[]>>;

/** An event to be written down. */
export interface AuditRecord {
  readonly actor: Actor;
  /** The account that it was done to. */
  readonly userId?: string | null;
  /** The id of the key or session, or the name of the provider, that it was done with. */
  readonly subject?: string;
  readonly detail?: AuditDetail;
}
