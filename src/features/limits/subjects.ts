/** What is limited alike: an account, and the key that it uses. A key counts for its account as well. */
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
