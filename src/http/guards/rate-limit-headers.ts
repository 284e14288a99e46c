import type { Response } from 'express';
import onHeaders from 'on-headers';
import type { RequestAdmission, RateLimitState } from '../context/request-limiter.js';

/** Sets OpenAI's rate limit headers, with the state at the beginning of the response, for any kind of response. */
export function setRateLimitHeaders(response: Response, { requests, tokens }: RequestAdmission): void {
  onHeaders(response, () => {
    if (requests !== undefined) setRate(response, 'requests', requests);
    if (tokens !== undefined) setRate(response, 'tokens', tokens());
  });
}

function setRate(response: Response, what: string, { limit, remaining, resetMs }: RateLimitState): void {
  response.setHeader(`x-ratelimit-limit-${what}`, String(limit));
  response.setHeader(`x-ratelimit-remaining-${what}`, String(remaining));
  response.setHeader(`x-ratelimit-reset-${what}`, toDuration(resetMs));
}

/** Formats a duration as OpenAI does: `12ms`, `1s`, `1.5s`, `6m0s`. */
export function toDuration(milliseconds: number): string {
  const ms = Math.max(0, Math.ceil(milliseconds));
  if (ms < 1000) return `${ms}ms`;
  const minutes = Math.floor(ms / 60_000);
  const seconds = `${(ms % 60_000) / 1000}s`;
  return minutes === 0 ? seconds : `${minutes}m${seconds}`;
}
