import type { DeadlineConfig } from '../../config/index.js';
import { countRequest } from './usage-meter.js';
import { Deadlines } from './deadlines.js';
import { toCancelledCallError, toModelCallError } from '../port/model-call-error.js';
import type { ResolvedModel } from '../models/model-directory.js';
import { type CountingCall, ProviderError, type ProviderErrorKind } from '../port/index.js';

/**
 * Errors that concern the request and not the provider. Falling back to a local count would hide them from the
 * caller.
 */
const REQUEST_FAULTS: ReadonlySet<ProviderErrorKind> = new Set<ProviderErrorKind>([
  'rejected',
  'context_length_exceeded',
  'content_policy_violation',
  'unauthorized',
  'model_not_found',
  'rate_limited',
]);

/**
 * Returns the input tokens of a request: the provider's own count if the caller uses its protocol, else our
 * estimate.
 * @throws ModelCallError if the provider refuses the request, or the caller disconnects
 */
export async function countRequestTokens(
  { request, native, signal, apiKey }: CountingCall & { readonly apiKey?: string },
  { modelProvider: source, model }: ResolvedModel,
  config: DeadlineConfig,
): Promise<number> {
  const deadlines = Deadlines.ofAnswer(signal, config);
  const own = native?.protocol === source.protocol ? native : undefined;
  try {
    const call = {
      model,
      request,
      signal: deadlines.signal,
      ...(own && { native: own }),
      ...(apiKey !== undefined && { apiKey }),
    };
    const counted = await source.countTokens?.(call);
    if (counted !== undefined) return counted;
  } catch (error) {
    if (signal.aborted) throw toCancelledCallError([]);
    // After the deadline, any error is a consequence of our own abort, whatever its type.
    if (deadlines.exceeded === undefined && !(error instanceof ProviderError)) throw error;
    if (error instanceof ProviderError && REQUEST_FAULTS.has(error.kind)) throw toModelCallError(error, []);
  } finally {
    deadlines.stop();
  }
  return countRequest(request);
}
