import type { NextFunction, Request, RequestHandler, Response } from 'express';

/**
 * Returns one middleware that runs several in order, each when the one before it calls `next`. The first error skips the
 * rest. For middleware of every request: Express matches the path for each of its own, which costs a request more than
 * most of what they do. None of them may be async, or call `next` twice.
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
    // As in Express, only a truthy value is an error.
    if (error) next(error);
    else run(handlers, index + 1, request, response, next);
  };
  // Express catches only what is thrown before the first asynchronous `next`; a later error would end the process.
  try {
    void handler(request, response, proceed);
  } catch (error) {
    next(error ?? new Error('A middleware threw no error.'));
  }
}
