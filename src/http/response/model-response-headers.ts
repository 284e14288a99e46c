import type { AnswerCaching } from '../../common/caller.js';
import type { Response } from 'express';

/** The values that the headers of a model response report. */
export interface ModelResponseHeaders {
  /** Parameters that the responding model does not support and that were not sent to it. */
  readonly ignored: readonly string[];
  /** True if the response comes from the cache; undefined if the caller did not request caching. */
  readonly cached: boolean | undefined;
}

/** Returns the header values for a response. */
export function toModelResponseHeaders(
  call: { readonly cache?: AnswerCaching | boolean | undefined },
  { ignored, cached = false }: { readonly ignored: readonly string[]; readonly cached?: boolean | undefined },
): ModelResponseHeaders {
  return { ignored, cached: call.cache === undefined || call.cache === false ? undefined : cached };
}

/** Names that are valid in the header: a caller may send fields of any name. */
const HEADER_NAME = /^[\x21-\x2b\x2d-\x7e]{1,64}$/;

/** Sets the headers, unless a ping has already sent them while the model was working. */
export function setModelResponseHeaders(response: Response, { ignored, cached }: ModelResponseHeaders): void {
  if (response.headersSent) return;
  const names = ignored.filter((name) => HEADER_NAME.test(name)).slice(0, 50);
  if (names.length > 0) response.set('X-Ignored-Params', names.join(', '));
  if (cached !== undefined) response.set('X-Cache', cached ? 'HIT' : 'MISS');
}
