/**
 * Looks up the provider keys that users have stored. A feature implements it and the composition root binds it.
 */
export abstract class CredentialSource {
  /**
   * Returns the user's own key for a provider, to be used instead of the server's, or undefined if there is
   * none. Called once per provider and call, so it must usually answer from memory.
   * @throws AppError if the user has a key that cannot be used
   */
  abstract credentialFor(userId: string, provider: string): Promise<string | undefined>;
}
