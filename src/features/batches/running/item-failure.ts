import type { AppError, ErrorCode } from '../../../common/errors.js';

/** Number of attempts after which an item fails whose call failed for a reason that may be its own. */
const MAX_ATTEMPTS = 3;

/** Consequence of a failed call. */
export type FailureAction =
  /** The item has failed: an equal request would fail again. */
  | { readonly type: 'fail' }
  /** Another attempt; this one counts if it may have failed because of the item. */
  | {
      readonly type: 'retry';
      readonly givenBack: boolean;
      readonly pause: 'lane' | 'owner' | 'batch' | 'none';
    };

/**
 * Failures that say nothing about the request: it waits, and the attempt does not count. A provider that is away or
 * refuses for now pauses its lane, limits of the account pause the account, and a quota pauses the batch.
 */
const PAUSED_BY = {
  provider_rate_limited: 'lane',
  provider_unavailable: 'lane',
  overloaded: 'lane',
  rate_limit_exceeded: 'owner',
  unauthorized: 'owner',
  account_disabled: 'owner',
  service_unavailable: 'owner',
  quota_exceeded: 'batch',
  request_cancelled: 'none',
  // The batch is being cancelled, and nothing of it is claimed any more.
  invalid_api_key: 'none',
} as const satisfies Partial<Record<ErrorCode, 'lane' | 'owner' | 'batch' | 'none'>>;

/** Failures that another attempt may not have. */
const RETRIED: readonly ErrorCode[] = ['provider_timeout', 'provider_error', 'internal_error'];

/** Decides what follows from the failure of a call. */
export function decideFailure({ code, retryable }: AppError, attempts: number): FailureAction {
  // The request alone exceeds the limit per minute, so it never fits.
  if (code === 'rate_limit_exceeded' && retryable === false) return { type: 'fail' };
  if (isPausing(code)) return { type: 'retry', givenBack: true, pause: PAUSED_BY[code] };
  if (RETRIED.includes(code) && attempts < MAX_ATTEMPTS)
    return { type: 'retry', givenBack: false, pause: 'none' };
  return { type: 'fail' };
}

function isPausing(code: ErrorCode): code is keyof typeof PAUSED_BY {
  return Object.hasOwn(PAUSED_BY, code);
}
