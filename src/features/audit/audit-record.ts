import type { Actor } from '../../common/actor.js';

/** Recorded actions. The names are part of the API: their meaning does not change. */
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
  'queue_dashboard.opened',
  'webhook.created',
  'webhook.secret_rotated',
  'webhook.deleted',
] as const;

export type AuditAction = (typeof AUDIT_ACTIONS)[number];

/** The changes, by name. Never contains a password, key, token, or user text. */
export type AuditDetail = Readonly<Record<string, string | number | boolean | null | string[]>>;

/** An event to be recorded. */
export interface AuditRecord {
  readonly actor: Actor;
  /** The account affected by the action. */
  readonly userId?: string | null;
  /** Id of the key, session or webhook, or name of the provider, involved in the action. */
  readonly subject?: string;
  readonly detail?: AuditDetail;
}
