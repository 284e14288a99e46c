/**
 * Told to all processes when what an account or a key may do has changed: `changed` forgets what is remembered of it,
 * `revoked` stops what runs for it as well.
 */
export type AccessChange =
  | { readonly kind: 'changed' | 'revoked'; readonly userId: string }
  | { readonly kind: 'revoked'; readonly apiKeyId: string };

/** The channel that access changes are told on. */
export const ACCESS_CHANNEL = 'access';

/** A change as it travels. */
export function writeAccessChange(change: AccessChange): string {
  return 'userId' in change
    ? `${change.kind} user ${change.userId}`
    : `${change.kind} key ${change.apiKeyId}`;
}

/** A change as it was written; undefined where the text is none. */
export function readAccessChange(text: string): AccessChange | undefined {
  const [kind, what, id] = text.split(' ');
  if (id === undefined || (kind !== 'changed' && kind !== 'revoked')) return undefined;
  if (what === 'user') return { kind, userId: id };
  return what === 'key' && kind === 'revoked' ? { kind, apiKeyId: id } : undefined;
}
