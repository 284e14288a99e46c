import type { AccountAccess } from '../../common/caller.js';
import type { AppError } from '../../common/errors.js';

/** The current state of a limit. */
export interface RateLimitState {
  /** Units per minute. */
  readonly limit: number;
  /** Units that are left now. */
  readonly remaining: number;
  /** Time until the limit is fully replenished, in milliseconds. */
  readonly resetMs: number;
}

/** The result of admitting a request. */
export interface RequestAdmission {
  /** The error to send if the request is rejected; it has consumed nothing then. */
  readonly refusal: AppError | undefined;
  /** The request limit that is closest to being exhausted. */
  readonly requests: RateLimitState | undefined;
  /** Returns the current state of the token limit, which a model call changes while it runs. Only on model routes. */
  readonly tokens?: () => RateLimitState;
}

/** Counts requests. A feature implements it and the composition root binds it. */
export abstract class RequestLimiter {
  /** @param model true if the route reaches a model */
  abstract admit(caller: AccountAccess, model: boolean): Promise<RequestAdmission>;

  /** Admits a request without valid credentials. */
  abstract admitAddress(address: string): Promise<RequestAdmission>;
}
