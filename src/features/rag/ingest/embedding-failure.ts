import { asAppError, type AppError, type ErrorCode } from '../../../common/errors.js';
import type { UnfinishedEnd } from './ingestion-end.js';
import type { EmbeddingUsage } from './ingestion.repository.js';
import type { ClaimedIngestion } from './ingestion.js';

/** Maximum number of attempts without progress. */
export const MAX_INGESTION_ATTEMPTS = 5;

/** Delay after the first failure, in seconds; each further delay is four times as long. */
const FIRST_WAIT_SECONDS = 15;

/** Refusals that pass with time and are not the document's fault: limits of the provider or of the account. */
const LIMITS: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'provider_rate_limited',
  'rate_limit_exceeded',
  'quota_exceeded',
]);

/** Bounds of the delay after one of them, in seconds. */
const LIMIT_WAIT_SECONDS = { min: 5, max: 3_600 } as const;

/** Age at which an ingestion that waits for a limit is given up, in seconds: longer than the month of a quota. */
const LIMIT_AGE_SECONDS = 32 * 86_400;

/** Failures of a provider that is away, or of this server. */
const AWAY: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'provider_unavailable',
  'provider_timeout',
  'overloaded',
  'service_unavailable',
]);

/** Bounds of the delay after one of them, in seconds; it is half the age of the ingestion. */
const AWAY_WAIT_SECONDS = { min: 2, max: 60 } as const;

/** Age at which an ingestion is given up if its provider is away, in seconds: a day. */
const AWAY_LIMIT_SECONDS = 86_400;

/** Failures that no repetition changes. */
const FINAL: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'context_length_exceeded',
  'content_policy_violation',
  'model_not_found',
  'price_unknown',
  'provider_rejected',
  'invalid_request',
  'payload_too_large',
]);

/** Returns the end of an attempt that failed, with the usage of its request for embeddings if that is not stored. */
export function endAfterFailure(
  error: unknown,
  { attempts, ageSeconds }: Pick<ClaimedIngestion, 'attempts' | 'ageSeconds'>,
  usage?: EmbeddingUsage,
): UnfinishedEnd {
  const failure = asAppError(error);
  const fault = { code: failure.code, message: failure.message };
  const released = (waitSeconds: number) => ({
    type: 'released' as const,
    waitSeconds,
    counted: false,
    usage,
  });
  if (exceedsLimitAlone(failure)) return { type: 'failed', fault, usage };
  if (LIMITS.has(failure.code)) {
    if (ageSeconds > LIMIT_AGE_SECONDS) return { type: 'failed', fault, usage };
    return released(within(LIMIT_WAIT_SECONDS, retryAfterSeconds(failure)));
  }
  if (AWAY.has(failure.code)) {
    if (ageSeconds > AWAY_LIMIT_SECONDS) return { type: 'failed', fault, usage };
    return released(within(AWAY_WAIT_SECONDS, ageSeconds / 2));
  }
  if (FINAL.has(failure.code) || attempts >= MAX_INGESTION_ATTEMPTS) return { type: 'failed', fault, usage };
  return { ...released(FIRST_WAIT_SECONDS * 4 ** (attempts - 1)), counted: true };
}

/** Returns true if a limit of the account refused a request that would fit if it were smaller. Nothing was sent. */
export function isOverBudget(error: AppError): boolean {
  return error.code === 'quota_exceeded' || exceedsLimitAlone(error);
}

/** Returns true if a request is larger than a limit of the account, so that waiting does not help. */
function exceedsLimitAlone({ code, retryAfterMs }: AppError): boolean {
  return code === 'rate_limit_exceeded' && retryAfterMs === undefined;
}

function retryAfterSeconds({ retryAfterMs = 0 }: AppError): number {
  return Math.ceil(retryAfterMs / 1_000);
}

function within({ min, max }: { readonly min: number; readonly max: number }, seconds: number): number {
  return Math.min(max, Math.max(min, seconds));
}
