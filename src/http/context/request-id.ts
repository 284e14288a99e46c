import type { IncomingMessage, ServerResponse } from 'node:http';
import { newId } from '../../common/ids.js';

/** What a caller may name its request: safe in a header and in a log line. */
const GIVEN_ID = /^[\w.:-]{1,128}$/;

/** The id of a request: the caller's `X-Request-ID` where it is a plain word, else a new one. Set on the response too. */
export function assignRequestId(request: IncomingMessage, response: ServerResponse): string {
  const given = request.headers['x-request-id'];
  const id = typeof given === 'string' && GIVEN_ID.test(given) ? given : newId();
  response.setHeader('X-Request-ID', id);
  return id;
}

/** The id of the request that a response answers. */
export function requestIdOf(response: ServerResponse): string {
  const id = response.getHeader('X-Request-ID');
  return typeof id === 'string' ? id : '';
}
