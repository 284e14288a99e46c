import type { DeadlineConfig } from '../../config/index.js';
import { countRequest } from './usage-meter.js';
import { Deadlines } from './deadlines.js';
import { cancelledCall, toModelCallError } from '../port/model-call-error.js';
import type { ResolvedModel } from '../models/model-directory.js';
import { type CountingCall, ProviderError, type ProviderErrorKind } from '../port/index.js';

/** What a provider says of the request and not of itself; another way of counting would hide it from the caller. */
const REQUEST_FAULTS: ReadonlySet<ProviderErrorKind> = new Set<ProviderErrorKind>([
  'rejected',
  'context_length_exceeded',
  'content_policy_violation',
  'unauthorized',
  'model_not_found',
  'rate_limited',
]);

/**
 * The tokens that a request takes: by the provider's own count where the caller speaks its wire, else by ours.
 * @throws ModelCallError where the provider refuses the request, or the caller left
 */
export async function countRequestTokens(
  { request, native, signal, apiKey }: CountingCall & { readonly apiKey?: string },
  { source, model }: ResolvedModel,
  config: DeadlineConfig,
): Promise<number> {
  const deadlines = Deadlines.ofAnswer(signal, config);
  const own = native?.wire === source.wire ? native : undefined;
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
    if (signal.aborted) throw cancelledCall([]);
    // Once the time is up the error is the end of our own waiting, whatever it looks like.
    if (deadlines.passed === undefined && !(error instanceof ProviderError)) throw error;
    if (error instanceof ProviderError && REQUEST_FAULTS.has(error.kind)) throw toModelCallError(error, []);
  } finally {
    deadlines.stop();
  }
  return countRequest(request);
}
