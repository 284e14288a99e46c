import type { Caller } from '../../common/caller.js';

/** What a key may be used for. */
export const SCOPES = ['chat', 'files', 'rag', 'batch', 'admin'] as const;

/** One of the things that a key may be used for. */
export type ScopeName = (typeof SCOPES)[number];

/** Who makes a request, and what it may ask for. */
export interface Principal extends Caller {
  readonly role: 'user' | 'admin';
  /** Those of the key; whoever is logged in has all of them. */
  readonly scopes: 'all' | ReadonlySet<string>;
}

/** Tells who a credential belongs to. A feature implements it and the composition root binds it. */
export abstract class Authenticator {
  /**
   * @param credential the text after `Bearer`, or of `X-API-Key`
   * @throws AppError `unauthorized` or `invalid_api_key` where the credential is none of ours, expired or revoked, or
   *   its account is gone or disabled
   */
  abstract authenticate(credential: string): Promise<Principal>;
}
