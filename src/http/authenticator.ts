import type { Caller } from '../common/caller.js';

/** Who makes a request. */
export type Principal = Caller;

/** Tells who a credential belongs to. A feature implements it and the composition root binds it. */
export abstract class Authenticator {
  /**
   * @param credential the text after `Bearer`, or of `X-API-Key`
   * @throws AppError `unauthorized` where the credential is none of ours, expired, or its account is gone
   */
  abstract authenticate(credential: string): Promise<Principal>;
}
