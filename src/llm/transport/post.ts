import type { Agent, Dispatcher } from 'undici';
import { BrokenBodyError } from './broken-body.js';

/** A request as it goes out. Address and headers are made beforehand; only the body is the call's. */
export interface Post {
  readonly origin: string;
  /** With the query, if there is one. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  readonly signal: AbortSignal;
}

/** An answer with all of its body. */
export interface WholeResponse {
  readonly status: number;
  readonly headers: NodeJS.Dict<string | string[]>;
  readonly text: string;
}

/** Nothing that can be used was answered: there is no connection, or it broke before the head or in an error's body. */
export class NoAnswerError extends Error {
  override readonly name = 'NoAnswerError';

  constructor(cause: unknown) {
    super('No answer came.', { cause });
  }
}

/**
 * Sends a request whose answer is read as it comes.
 * @throws NoAnswerError
 */
export async function post(agent: Agent, request: Post): Promise<Dispatcher.ResponseData> {
  try {
    return await agent.request({ ...request, method: 'POST' });
  } catch (error) {
    throw new NoAnswerError(error);
  }
}

/**
 * Sends a request whose answer is wanted whole. Its pieces are collected as undici hands them out, without the stream
 * that `request` makes of them.
 * @throws NoAnswerError, or BrokenBodyError where an answer of success breaks off
 */
export function postWhole(agent: Agent, { signal, ...request }: Post): Promise<WholeResponse> {
  return new Promise((resolve, reject) => {
    agent.dispatch({ ...request, method: 'POST' }, new Collector({ signal, resolve, reject }));
  });
}

/** Whether a status says that the request was served. */
export function isSuccess(status: number): boolean {
  return status >= 200 && status <= 299;
}

interface CollectorOptions {
  readonly signal: AbortSignal;
  readonly resolve: (response: WholeResponse) => void;
  readonly reject: (error: unknown) => void;
}

/** Collects the answer to one request. */
class Collector implements Dispatcher.DispatchHandler {
  private controller: Dispatcher.DispatchController | undefined;
  private status = 0;
  private headers: WholeResponse['headers'] = {};
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
    headers: WholeResponse['headers'],
  ): void {
    // What comes before the answer, as a 103, is none.
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
    this.options.resolve({ status, headers, text: textOf(pieces) });
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: unknown): void {
    this.leave();
    this.options.reject(isSuccess(this.status) ? new BrokenBodyError(error) : new NoAnswerError(error));
  }

  private readonly abort = (): void => {
    const { signal, reject } = this.options;
    const reason: unknown = signal.reason;
    // A request that waits for its connection has no controller yet, and whoever gave it up does not wait with it.
    reject(new NoAnswerError(reason));
    this.controller?.abort(reason instanceof Error ? reason : new Error('The caller left.'));
  };

  private leave(): void {
    this.options.signal.removeEventListener('abort', this.abort);
  }
}

function textOf(pieces: readonly Buffer[]): string {
  const [first] = pieces;
  const bytes = pieces.length === 1 && first !== undefined ? first : Buffer.concat(pieces);
  const text = bytes.toString('utf8');
  // A byte order mark is no part of the text, and JSON does not know it.
  return text.startsWith('\uFEFF') ? text.slice(1) : text;
}
