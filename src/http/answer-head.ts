import type { AnswerCaching } from '../common/caller.js';
import type { Response } from 'express';

/** What the headers of a model's answer tell. */
export interface AnswerHead {
  /** Parameters that the answering model could not be told. */
  readonly ignored: readonly string[];
  /** Whether it comes out of the cache; undefined where the caller did not ask for the cache. */
  readonly cached: boolean | undefined;
}

/** What there is to tell of an answer. */
export function headOf(
  call: { readonly cache?: AnswerCaching | boolean | undefined },
  { ignored, cached = false }: { readonly ignored: readonly string[]; readonly cached?: boolean | undefined },
): AnswerHead {
  return { ignored, cached: call.cache === undefined || call.cache === false ? undefined : cached };
}

/** Sets the headers, unless a ping has sent them while the model thought. */
export function setAnswerHead(response: Response, { ignored, cached }: AnswerHead): void {
  if (response.headersSent) return;
  if (ignored.length > 0) response.set('X-Ignored-Params', ignored.join(', '));
  if (cached !== undefined) response.set('X-Cache', cached ? 'HIT' : 'MISS');
}
