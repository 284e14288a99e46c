import type { Caller } from '../../common/caller.js';

/** Scopes of an API key. */
export const SCOPES = ['chat', 'files', 'rag', 'batch', 'admin'] as const;

/** One scope of an API key. */
export type ScopeName = (typeof SCOPES)[number];

/** The authenticated sender of a request and its permissions. */
export interface Principal extends Caller {
  /** Null for an API key. */
  readonly sessionId: string | null;
  readonly role: 'user' | 'admin';
}

/** Authenticates a credential. A feature implements it and the composition root binds it. */
export abstract class Authenticator {
  /**
   * @param credential the text after `Bearer`, or of `X-API-Key`
   * @throws AppError `unauthorized` or `invalid_api_key` if the credential is not ours, expired or revoked, or its
   *   account is deleted or disabled
   */
  abstract authenticate(credential: string): Promise<Principal>;
}
