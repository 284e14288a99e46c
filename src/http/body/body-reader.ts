import express, { type NextFunction, type Request, type RequestHandler, type Response } from 'express';
import type { Authenticator } from '../context/authenticator.js';
import { declaresJson } from '../guards/content-type.guard.js';
import { inOrder } from '../server/in-order.js';
import {
  limitDeclaredBody,
  limitDeclaredForm,
  limitUnparsedBody,
  requireAuthForLargeBody,
} from './body-size-limit.js';
import { assertJsonText, assertUtf8, jsonTextCheck } from './json-limits.js';

/** One megabyte, in bytes: also the maximum JSON body of every route that takes no larger one. */
const MEGABYTE = 2 ** 20;

/** Compatible APIs, whose JSON may be as large as an upload. A JSON schema decides on their unknown fields. */
const COMPATIBLE_APIS = /^\/v1(?!\/files\/?$)(?:\/|$)/i;

/** Routes that pass requests on to Ollama. */
const OLLAMA = /^\/ollama(?:\/|$)/i;

/** The route of imports, whose JSON may be as large too. */
const IMPORT = /^\/api\/v1\/conversations\/import(?:\/|$)/i;

/** The route of new batches, whose JSON may be as large too. */
const BATCHES = /^\/api\/v1\/batch\/?$/i;

/** Advice for more requests than fit into the JSON of a batch. */
const LARGE_BATCH = 'Upload a file of requests, one per line, and send its id as input_file_id.';

/** Upload routes. They read their files themselves; a JSON body sent to them has the same limit as any other. */
const UPLOADS =
  /^(?:\/v1\/files|\/api\/v1\/(?:files|analyze\/pdf|rag\/collections\/[^/]+\/documents(?:\/[^/]+)?))\/?$/i;

/** Routes that also refuse a large body which no parser reads. */
const API = /^\/api(?:\/|$)/i;

/**
 * Returns middleware that reads JSON bodies. The route decides how large one may be; a declared length
 * that is too large is refused before the body is read.
 * @param options.maxUploadMb maximum size of the JSON of compatible APIs, Ollama, imports and batches, in megabytes
 * @param options.maxFileMb maximum size of an uploaded file of any purpose, in megabytes
 */
export function bodyReader(options: {
  readonly authenticator: Authenticator;
  readonly maxUploadMb: number;
  readonly maxFileMb: number;
}): RequestHandler {
  const largest = options.maxUploadMb * MEGABYTE;
  const requireAuth = requireAuthForLargeBody(options.authenticator);
  const json = { strict: true, type: declaresJson };
  const small = express.json({ ...json, limit: MEGABYTE, verify: assertUtf8 });
  const large = (verify: typeof assertJsonText): RequestHandler =>
    inOrder(requireAuth, limitDeclaredBody(largest), express.json({ ...json, limit: largest, verify }));
  const largeJson = large(assertJsonText);
  const readers = {
    compatible: largeJson,
    ollama: inOrder(undeclaredJson, largeJson),
    import: inOrder(largeJson, limitUnparsedBody(MEGABYTE)),
    batch: inOrder(large(jsonTextCheck(LARGE_BATCH)), limitUnparsedBody(MEGABYTE)),
    upload: inOrder(requireAuth, limitDeclaredForm(options.maxFileMb * MEGABYTE), small),
    api: inOrder(limitDeclaredBody(MEGABYTE), small),
    other: small,
  };
  return (request, response, next) => {
    readers[bodyKindOf(request.path)](request, response, next);
  };
}

/** Returns the kind of the bodies of a route. */
function bodyKindOf(path: string): 'compatible' | 'ollama' | 'import' | 'batch' | 'upload' | 'api' | 'other' {
  if (COMPATIBLE_APIS.test(path)) return 'compatible';
  if (OLLAMA.test(path)) return 'ollama';
  if (IMPORT.test(path)) return 'import';
  if (BATCHES.test(path)) return 'batch';
  if (UPLOADS.test(path)) return 'upload';
  return API.test(path) ? 'api' : 'other';
}

/** Ollama parses every body as JSON, and the examples in its own documentation declare no content type. */
function undeclaredJson(request: Request, _response: Response, next: NextFunction): void {
  if (!declaresJson(request)) request.headers['content-type'] = 'application/json';
  next();
}
