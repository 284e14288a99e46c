import type { NextFunction, Request, RequestHandler, Response } from 'express';

/**
 * Returns one middleware that runs several in order, each when the one before it calls `next`. The first error skips the
 * rest. For middleware of every request: Express matches the path for each of its own, which costs a request more than
 * most of what they do.
 */
export function inOrder(...handlers: readonly RequestHandler[]): RequestHandler {
  return (request, response, next) => {
    run(handlers, 0, request, response, next);
  };
}

function run(
  handlers: readonly RequestHandler[],
  index: number,
  request: Request,
  response: Response,
  next: NextFunction,
): void {
  const handler = handlers[index];
  if (handler === undefined) {
    next();
    return;
  }
  const proceed = (error?: unknown): void => {
    if (error === undefined || error === null) run(handlers, index + 1, request, response, next);
    else next(error);
  };
  // Express catches what its middleware throws; one that is reached asynchronously would end the process.
  try {
    void handler(request, response, proceed);
  } catch (error) {
    next(error);
  }
}
