import type { Request } from 'express';

/** Requests that a limit has counted, or that are exempt from counting. */
const counted = new WeakSet<Request>();

/** Marks a request as counted, so that it is not counted again. */
export function markRateLimited(request: Request): void {
  counted.add(request);
}

/** Returns true if a limit has counted the request or it is exempt. */
export function isRateLimited(request: Request): boolean {
  return counted.has(request);
}
