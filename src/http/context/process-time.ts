import type { NextFunction, Request, Response } from 'express';
import onHeaders from 'on-headers';

/** Sets `X-Process-Time`: seconds from the request's arrival until its answer began, with milliseconds. */
export function processTime(_request: Request, response: Response, next: NextFunction): void {
  const startedAt = performance.now();
  onHeaders(response, () => {
    response.setHeader('X-Process-Time', ((performance.now() - startedAt) / 1000).toFixed(3));
  });
  next();
}
