import { type IncomingHttpHeaders, request as openRequest } from 'node:http';
import { text } from 'node:stream/consumers';

/** A request as it goes over the socket: `fetch` would tidy up a path with `%2e%2e` and refuse bodies of GET. */
export interface RawRequest {
  readonly method: string;
  /** With its query, encoded or not. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: Buffer | undefined;
}

/** A whole answer. */
export interface RawAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
}

/** Longest time that one answer may take, in milliseconds. */
const DEADLINE_MS = 10_000;

/**
 * Sends a request on a connection of its own and reads its answer to the end.
 * @throws Error that names the request where the answer is late or none comes
 */
export async function sendRaw(origin: string, request: RawRequest): Promise<RawAnswer> {
  const signal = AbortSignal.timeout(DEADLINE_MS);
  try {
    return await exchange(origin, request, signal);
  } catch (error) {
    const what = signal.aborted ? `not answered within ${DEADLINE_MS} ms` : `broken off: ${String(error)}`;
    throw new Error(`${describeRequest(request)} was ${what}.`, { cause: error });
  }
}

function exchange(origin: string, request: RawRequest, signal: AbortSignal): Promise<RawAnswer> {
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
  // A server that refuses a body early may close while the rest is being written; what it answered counts.
  outgoing.on('error', (error) => {
    if (!answered || signal.aborted) reject(error);
  });
  outgoing.end(body);
  return promise;
}

/** A request in one line, for a failure: its body is cut where it is long. */
export function describeRequest({ method, path, headers, body }: RawRequest): string {
  const { authorization, ...shown } = headers;
  const said = body === undefined ? '' : ` ${cut(body.toString('utf8'))} (${body.length} bytes)`;
  return `${method} ${cut(path)} ${JSON.stringify(shown)}${authorization ? ' authorised' : ''}${said}`;
}

/** The beginning of a text. */
export function cut(text: string): string {
  return text.length > 400 ? `${text.slice(0, 400)}…` : text;
}
