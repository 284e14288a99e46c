import { once } from 'node:events';
import { request, type IncomingHttpHeaders, type IncomingMessage } from 'node:http';

/** A response as it arrived, byte for byte. */
export interface RawResponse {
  status: number;
  headers: IncomingHttpHeaders;
  /** The body in the pieces in which it arrived. */
  pieces: Buffer[];
  text: string;
  /** The code of the error that ended the response early. */
  error: string | undefined;
}

/** Posts JSON without any client library in between; rejects if there is no response head. */
export async function post(url: string, body: unknown): Promise<RawResponse> {
  const outgoing = request(url, {
    method: 'POST',
    agent: false,
    headers: { 'content-type': 'application/json' },
  });
  outgoing.end(JSON.stringify(body));
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    outgoing.once('response', resolve);
    outgoing.on('error', reject);
  });
  const pieces: Buffer[] = [];
  let error: string | undefined;
  response.on('data', (piece: Buffer) => pieces.push(piece));
  response.on('error', (cause: NodeJS.ErrnoException) => (error = cause.code));
  if (!response.closed) await once(response, 'close').catch(() => undefined);
  return {
    status: response.statusCode ?? 0,
    headers: response.headers,
    pieces,
    text: Buffer.concat(pieces).toString(),
    error,
  };
}

/** Returns the payloads of the `data` lines of a plain stream. */
export function dataLines(text: string): string[] {
  return text
    .split('\n\n')
    .filter((frame) => frame !== '')
    .map((frame) => frame.replace(/^data: /, ''));
}

/** Returns a chat request with one user message. */
export function chat(content: string, more: Readonly<Record<string, unknown>> = {}): Record<string, unknown> {
  return { model: 'test-model', messages: [{ role: 'user', content }], ...more };
}
