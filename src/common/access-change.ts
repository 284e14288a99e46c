/**
 * Broadcast to all processes when the permissions of an account or a key have changed: `changed` drops what is
 * cached about it, `revoked` also stops its running operations.
 */
export type AccessChange =
  | { readonly kind: 'changed' | 'revoked'; readonly userId: string }
  | { readonly kind: 'revoked'; readonly apiKeyId: string };

/** Channel for access changes. */
export const ACCESS_CHANNEL = 'access';

/** Serializes an access change. */
export function serializeAccessChange(change: AccessChange): string {
  return 'userId' in change
    ? `${change.kind} user ${change.userId}`
    : `${change.kind} key ${change.apiKeyId}`;
}

/** Parses an access change; undefined if the text is not one. */
export function parseAccessChange(text: string): AccessChange | undefined {
  const [kind, what, id] = text.split(' ');
  if (id === undefined || (kind !== 'changed' && kind !== 'revoked')) return undefined;
  if (what === 'user') return { kind, userId: id };
  return what === 'key' && kind === 'revoked' ? { kind, apiKeyId: id } : undefined;
}
