import type { AnswerCaching } from '../../common/caller.js';
import type { Response } from 'express';

/** What the headers of a model's answer tell. */
export interface ModelResponseHeaders {
  /** Parameters that the answering model could not be told. */
  readonly ignored: readonly string[];
  /** Whether it comes out of the cache; undefined where the caller did not ask for the cache. */
  readonly cached: boolean | undefined;
}

/** What there is to tell of an answer. */
export function toModelResponseHeaders(
  call: { readonly cache?: AnswerCaching | boolean | undefined },
  { ignored, cached = false }: { readonly ignored: readonly string[]; readonly cached?: boolean | undefined },
): ModelResponseHeaders {
  return { ignored, cached: call.cache === undefined || call.cache === false ? undefined : cached };
}

/** Names that a header can carry: a caller may send fields of any name. */
const HEADER_NAME = /^[\x21-\x2b\x2d-\x7e]{1,64}$/;

/** Sets the headers, unless a ping has sent them while the model thought. */
export function setModelResponseHeaders(response: Response, { ignored, cached }: ModelResponseHeaders): void {
  if (response.headersSent) return;
  const names = ignored.filter((name) => HEADER_NAME.test(name)).slice(0, 50);
  if (names.length > 0) response.set('X-Ignored-Params', names.join(', '));
  if (cached !== undefined) response.set('X-Cache', cached ? 'HIT' : 'MISS');
}
