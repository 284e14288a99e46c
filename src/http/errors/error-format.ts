import type { Request, Response } from 'express';
import type { AppError } from '../../common/errors.js';
import { type ErrorBody, toErrorObject } from './error-body.dto.js';
import { requestIdOf } from '../context/request-id.js';

/** How the clients of a compatible surface are told errors. Each gateway has its own, and the composition root lists them. */
export interface ErrorWire {
  /** Whether a request came over this wire, whatever is wrong with it. */
  readonly speaks: (request: Request) => boolean;
  /** The body, without anything of the error's cause. */
  readonly body: (error: AppError, requestId: string) => object;
  /** What its clients read beside the body. */
  readonly headers?: (requestId: string) => Readonly<Record<string, string>>;
}

/** Chooses the shape of errors. Everything that no wire claims is told in ours, which OpenAI's clients read too. */
export class ErrorFormats {
  constructor(private readonly wires: readonly ErrorWire[]) {}

  /** The body that tells an error to whoever waits for the response. */
  bodyOf(error: AppError, response: Response): object {
    const requestId = requestIdOf(response);
    return this.wireOf(response)?.body(error, requestId) ?? ownBody(error, requestId);
  }

  /** The headers that go with it. */
  headersOf(response: Response): Readonly<Record<string, string>> {
    return this.wireOf(response)?.headers?.(requestIdOf(response)) ?? {};
  }

  private wireOf({ req }: Response): ErrorWire | undefined {
    return this.wires.find(({ speaks }) => speaks(req));
  }
}

function ownBody(error: AppError, request_id: string): ErrorBody {
  return { error: toErrorObject(error), request_id };
}
