/**
 * Returns the entities with the same limits: an account, and the API key that it uses. A key also counts for its
 * account.
 */
export function limitSubjects({
  userId,
  apiKeyId,
}: {
  readonly userId: string;
  readonly apiKeyId?: string | null;
}): string[] {
  const user = `user:${userId}`;
  return apiKeyId === null || apiKeyId === undefined ? [user] : [user, `key:${apiKeyId}`];
}
