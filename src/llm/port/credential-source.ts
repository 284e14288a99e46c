/** Knows the keys that users have of providers themselves. A feature implements it and the composition root binds it. */
export abstract class CredentialSource {
  /**
   * The user's own key of a provider, to be used instead of the server's; undefined where there is none. Asked once
   * a provider and call, so it must answer from memory most of the time.
   * @throws AppError where there is one that cannot be used
   */
  abstract credentialFor(userId: string, provider: string): Promise<string | undefined>;
}
