import type { AppError } from '../../../common/errors.js';
import type { AccountAccess } from '../../../common/caller.js';
import type { AttemptRecord } from '../../../llm/index.js';
import type { BatchEndpoint } from './batch.js';

/** A request of a batch, to be answered. */
export interface EndpointCall {
  readonly endpoint: BatchEndpoint;
  readonly caller: AccountAccess;
  /** Body of the request, as returned by `parseJson`; otherwise unchecked. */
  readonly body: unknown;
  /** Aborting it ends the calls of models. */
  readonly signal: AbortSignal;
  /** Receives the attempts of each call of a model, whatever its outcome. Must not throw. */
  readonly recordUsage: (callId: string, attempts: readonly AttemptRecord[]) => void;
}

/**
 * Answers single requests of the compatible API as its routes do. The gateway implements it, and the composition root
 * binds it.
 */
export abstract class BatchEndpoints {
  /**
   * Answers a request.
   * @returns the body of the response, JSON
   * @throws AppError as the route does
   */
  abstract answer(call: EndpointCall): Promise<string>;

  /**
   * Parses the text of a request, under the limits that the routes have for their bodies.
   * @throws InvalidRequestError
   */
  abstract parseJson(text: Buffer): unknown;

  /** Returns the body of the response that a route has for an error, JSON. */
  abstract errorBody(error: AppError, requestId: string): { readonly status: number; readonly body: string };

  /** Returns the provider of a model; undefined if the server has no such model. */
  abstract findLane(model: string | undefined): Promise<string | undefined>;
}
