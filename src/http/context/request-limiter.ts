import type { AccountAccess } from '../../common/caller.js';
import type { AppError } from '../../common/errors.js';

/** How full a limit is. */
export interface RateState {
  /** Units a minute. */
  readonly limit: number;
  /** Units that are left now. */
  readonly remaining: number;
  /** When all of them are there again, in milliseconds from now. */
  readonly resetMs: number;
}

/** What became of a request. */
export interface Admission {
  /** Why it is refused; it has taken nothing then. */
  readonly refusal: AppError | undefined;
  /** The limit of requests that is nearest to its end. */
  readonly requests: RateState | undefined;
  /** That of tokens, as it is when it is asked: a call changes it while it is answered. Only on model routes. */
  readonly tokens?: () => RateState;
}

/** Counts requests. A feature implements it and the composition root binds it. */
export abstract class RequestLimiter {
  /** @param model whether the route reaches a model */
  abstract admit(caller: AccountAccess, model: boolean): Promise<Admission>;

  /** A request that no valid credentials came with. */
  abstract admitAddress(address: string): Promise<Admission>;
}
