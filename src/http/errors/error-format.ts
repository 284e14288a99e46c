import type { Request, Response } from 'express';
import type { AppError } from '../../common/errors.js';
import { toErrorBody } from './error-body.dto.js';
import { requestIdOf } from '../context/request-id.js';

/** The error format of a compatible API. Each gateway has its own, and the composition root lists them. */
export interface ErrorFormat {
  /** Reports whether a request uses this API format, even if the request is invalid. */
  readonly matches: (request: Request) => boolean;
  /** Returns the body, without any details of the error's cause. */
  readonly body: (error: AppError, requestId: string) => object;
  /** Returns the headers that clients of this format expect in addition to the body. */
  readonly headers?: (requestId: string) => Readonly<Record<string, string>>;
}

/**
 * Selects the format of an error response. Requests that no format claims get ours, which OpenAI's clients read too.
 */
export class ErrorFormats {
  constructor(private readonly errorFormats: readonly ErrorFormat[]) {}

  /** Returns the body of the error response. */
  bodyOf(error: AppError, response: Response): object {
    const requestId = requestIdOf(response);
    return this.formatOf(response)?.body(error, requestId) ?? toErrorBody(error, requestId);
  }

  /** Returns the headers of the error response. */
  headersOf(response: Response): Readonly<Record<string, string>> {
    return this.formatOf(response)?.headers?.(requestIdOf(response)) ?? {};
  }

  private formatOf({ req }: Response): ErrorFormat | undefined {
    return this.errorFormats.find(({ matches }) => matches(req));
  }
}
