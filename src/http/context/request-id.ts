import type { IncomingMessage, ServerResponse } from 'node:http';
import { newId } from '../../common/ids.js';

/** Valid request ids from callers: safe in a header and in a log line. */
const GIVEN_ID = /^[\w.:-]{1,128}$/;

/**
 * Returns the id of a request: the caller's `X-Request-ID` if it is valid, otherwise a new one. Also sets it on the
 * response.
 */
export function assignRequestId(request: IncomingMessage, response: ServerResponse): string {
  const given = request.headers['x-request-id'];
  const id = typeof given === 'string' && GIVEN_ID.test(given) ? given : newId();
  response.setHeader('X-Request-ID', id);
  return id;
}

/** Returns the id of the request that belongs to a response. */
export function requestIdOf(response: ServerResponse): string {
  const id = response.getHeader('X-Request-ID');
  return typeof id === 'string' ? id : '';
}
