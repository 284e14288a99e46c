import type { Request } from 'express';

/** Requests that a limit has counted, or that none is to count. */
const counted = new WeakSet<Request>();

/** From now on the request counts no more. */
export function markRateLimited(request: Request): void {
  counted.add(request);
}

/** Whether a limit has counted the request, or none is to count it. */
export function isRateLimited(request: Request): boolean {
  return counted.has(request);
}
