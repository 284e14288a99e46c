import type { Agent, Dispatcher } from 'undici';
import { toBodyError } from './broken-body.js';
import { ACCEPT_ENCODING, codingsOf, decompress } from './content-coding.js';
import { ResponseBody, decodeUtf8 } from './response-body.js';

/** A request as it is sent. Address and headers are prepared in advance; only the body depends on the call. */
export interface ProviderRequest {
  readonly origin: string;
  /** Path, including the query if there is one. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Undefined for a GET request. */
  readonly body: string | undefined;
  readonly signal: AbortSignal;
}

/** The head of a response, and its body as a stream. */
export interface StreamedResponse {
  readonly status: number;
  readonly headers: NodeJS.Dict<string | string[]>;
  readonly body: ResponseBody;
}

/** A response including its whole body. */
export interface BufferedResponse {
  readonly status: number;
  readonly headers: NodeJS.Dict<string | string[]>;
  readonly text: string;
}

/** There was no usable response: no connection, or it broke before the head or inside the body of an error. */
export class NoResponseError extends Error {
  override readonly name = 'NoAnswerError';

  constructor(cause: unknown) {
    super('No response was received.', { cause });
  }
}

/**
 * Sends a request and streams the response.
 * @throws NoAnswerError
 */
export async function sendStreaming(agent: Agent, request: ProviderRequest): Promise<StreamedResponse> {
  try {
    const response = await agent.request(toOptions(request));
    const { statusCode: status, headers } = response;
    return { status, headers, body: new ResponseBody(response) };
  } catch (error) {
    throw new NoResponseError(error);
  }
}

/**
 * Sends a request and waits for the whole response. Collects the chunks as undici delivers them, without the
 * stream that `request` would create.
 * @throws NoAnswerError
 * @throws ProviderError for a response that is too large or cannot be decompressed
 * @throws BrokenBodyError for a successful response that breaks off
 */
export async function sendBuffered(
  agent: Agent,
  { signal, ...request }: ProviderRequest,
): Promise<BufferedResponse> {
  const { status, headers, pieces } = await new Promise<Collected>((resolve, reject) => {
    agent.dispatch(toOptions(request), new Collector({ signal, resolve, reject }));
  });
  const codings = codingsOf(headers['content-encoding']);
  if (codings.length === 0) return { status, headers, text: decodeUtf8(pieces) };
  const unpacked = await Array.fromAsync(decompress(pieces, codings)).catch((error: unknown) => {
    if (isSuccess(status)) throw error;
    // The status of an error is sufficient.
    return [];
  });
  return { status, headers, text: decodeUtf8(unpacked) };
}

function toOptions<Request extends Omit<ProviderRequest, 'signal'>>(request: Request) {
  return {
    ...request,
    headers: { ...ACCEPT_ENCODING, ...request.headers },
    body: request.body ?? null,
    method: request.body === undefined ? ('GET' as const) : ('POST' as const),
  };
}

/** Returns true for a success status. */
export function isSuccess(status: number): boolean {
  return status >= 200 && status <= 299;
}

/** A response and the chunks of its body. */
interface Collected {
  readonly status: number;
  readonly headers: NodeJS.Dict<string | string[]>;
  readonly pieces: readonly Buffer[];
}

interface CollectorOptions {
  readonly signal: AbortSignal;
  readonly resolve: (response: Collected) => void;
  readonly reject: (error: unknown) => void;
}

/** Collects the response to one request. */
class Collector implements Dispatcher.DispatchHandler {
  private controller: Dispatcher.DispatchController | undefined;
  private status = 0;
  private headers: BufferedResponse['headers'] = {};
  private readonly pieces: Buffer[] = [];

  constructor(private readonly options: CollectorOptions) {
    options.signal.addEventListener('abort', this.abort, { once: true });
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.controller = controller;
    if (this.options.signal.aborted) this.abort();
  }

  onResponseStart(
    _controller: Dispatcher.DispatchController,
    status: number,
    headers: BufferedResponse['headers'],
  ): void {
    // Ignore informational responses such as 103.
    if (status < 200) return;
    this.status = status;
    this.headers = headers;
  }

  onResponseData(_controller: Dispatcher.DispatchController, piece: Buffer): void {
    this.pieces.push(piece);
  }

  onResponseEnd(): void {
    this.leave();
    const { status, headers, pieces } = this;
    this.options.resolve({ status, headers, pieces });
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: unknown): void {
    this.leave();
    this.options.reject(isSuccess(this.status) ? toBodyError(error) : new NoResponseError(error));
  }

  private readonly abort = (): void => {
    const { signal, reject } = this.options;
    const reason: unknown = signal.reason;
    // A request that waits for its connection has no controller yet, but an aborted caller must not wait for
    // it.
    reject(new NoResponseError(reason));
    this.controller?.abort(reason instanceof Error ? reason : new Error('The client disconnected.'));
  };

  private leave(): void {
    this.options.signal.removeEventListener('abort', this.abort);
  }
}
