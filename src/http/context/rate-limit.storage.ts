import { Injectable } from '@nestjs/common';
import type { ThrottlerStorage } from '@nestjs/throttler';
import type { AccountAccess } from '../../common/caller.js';
import { type RequestAdmission, RequestLimiter } from './request-limiter.js';

/** Returns the key of a request without valid credentials. */
export function addressKey(address: string | undefined): string {
  return `address:${address ?? ''}`;
}

/** Returns the key of a request of an account, with the API key that it used. */
export function accountKey({ userId, apiKeyId }: AccountAccess): string {
  return apiKeyId === null ? `user:${userId}` : `user:${userId}/key:${apiKeyId}`;
}

/** Returns the key of the same request on a route that calls a model. */
export function modelKey(key: string): string {
  return `model/${key}`;
}

/** An address is whatever a trusted proxy sent, so it comes last in its key and is not split. */
const KEY = /^(?<model>model\/)?(?:address:(?<address>.*)|user:(?<userId>[^/]+)(?:\/key:(?<apiKeyId>.+))?)$/s;

/** The record of the throttler, whose type the package does not export by name. */
type ThrottlerRecord = Awaited<ReturnType<ThrottlerStorage['increment']>>;

/** A record of the throttler with the decision behind it. */
export interface RateLimitRecord extends ThrottlerRecord {
  readonly admission: RequestAdmission;
}

/**
 * Storage of the throttler. A key carries every dimension of a request, so that one step decides on all of them: a
 * request refused by one dimension takes nothing from the others. The limits come from the account and not from the
 * throttler's options.
 */
@Injectable()
export class RateLimitStorage implements ThrottlerStorage {
  constructor(private readonly limiter: RequestLimiter) {}

  async increment(key: string): Promise<RateLimitRecord> {
    const admission = await this.admit(key);
    const { refusal, requests } = admission;
    return {
      admission,
      totalHits: requests === undefined ? 0 : requests.limit - requests.remaining,
      timeToExpire: toSeconds(requests?.resetMs),
      isBlocked: refusal !== undefined,
      timeToBlockExpire: toSeconds(refusal?.retryAfterMs),
    };
  }

  private admit(key: string): Promise<RequestAdmission> {
    const { model, address, userId, apiKeyId } = KEY.exec(key)?.groups ?? {};
    if (address !== undefined) return this.limiter.admitAddress(address);
    if (userId === undefined) throw new Error(`'${key}' is not the key of a request.`);
    return this.limiter.admit({ userId, apiKeyId: apiKeyId ?? null }, model !== undefined);
  }
}

/** Returns whole seconds, the throttler's unit. */
function toSeconds(milliseconds = 0): number {
  return Math.ceil(milliseconds / 1000);
}
