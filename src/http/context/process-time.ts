import type { NextFunction, Request, Response } from 'express';
import onHeaders from 'on-headers';

/**
 * Sets `X-Process-Time`: seconds from the arrival of the request until its response begins, with millisecond
 * precision.
 */
export function processTime(_request: Request, response: Response, next: NextFunction): void {
  const startedAt = performance.now();
  onHeaders(response, () => {
    response.setHeader('X-Process-Time', ((performance.now() - startedAt) / 1000).toFixed(3));
  });
  next();
}
