import { type IncomingHttpHeaders, request as openRequest } from 'node:http';
import { text } from 'node:stream/consumers';

/**
 * A request exactly as sent on the socket: `fetch` would normalize a path with `%2e%2e` and refuse bodies of
 * GET.
 */
export interface FuzzRequest {
  readonly method: string;
  /** The path with its query, encoded or not. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: Buffer | undefined;
}

/** A complete response. */
export interface RawAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
}

/** Maximum time for one response, in milliseconds. */
const DEADLINE_MS = 30_000;

/**
 * Sends a request on a new connection and reads the complete response.
 * @throws Error that names the request if the response is late or missing
 */
export async function sendRaw(origin: string, request: FuzzRequest): Promise<RawAnswer> {
  const signal = AbortSignal.timeout(DEADLINE_MS);
  try {
    return await exchange(origin, request, signal);
  } catch (error) {
    const what = signal.aborted ? `not answered within ${DEADLINE_MS} ms` : `broken off: ${String(error)}`;
    throw new Error(`${describeRequest(request)} was ${what}.`, { cause: error });
  }
}

function exchange(origin: string, request: FuzzRequest, signal: AbortSignal): Promise<RawAnswer> {
  const { hostname, port } = new URL(origin);
  const { method, path, headers, body } = request;
  const { promise, resolve, reject } = Promise.withResolvers<RawAnswer>();
  let answered = false;
  const length = body === undefined ? {} : { 'content-length': String(body.length) };
  const outgoing = openRequest(
    { hostname, port, method, path, agent: false, signal, headers: { ...length, ...headers } },
    (response) => {
      answered = true;
      text(response).then(
        (whole) => resolve({ status: response.statusCode ?? 0, headers: response.headers, text: whole }),
        reject,
      );
    },
  );
  // A server that refuses a body early may close the connection while the rest is being written; its response
  // counts.
  outgoing.on('error', (error) => {
    if (!answered || signal.aborted) reject(error);
  });
  outgoing.end(body);
  return promise;
}

/** Describes a request in one line for a failure; a long body is truncated. */
export function describeRequest({ method, path, headers, body }: FuzzRequest): string {
  const { authorization, ...shown } = headers;
  const said = body === undefined ? '' : ` ${cut(body.toString('utf8'))} (${body.length} bytes)`;
  return `${method} ${cut(path)} ${JSON.stringify(shown)}${authorization ? ' authorized' : ''}${said}`;
}

/** Truncates a long text. */
export function cut(text: string): string {
  return text.length > 400 ? `${text.slice(0, 400)}…` : text;
}
