import { Injectable } from '@nestjs/common';
import { Clock } from '../../common/clock.js';
import { AppError } from '../../common/errors.js';

/** Numbers of wrong passwords allowed, and the waits for further ones; times are in milliseconds. */
export const PASSWORD_LIMITS = {
  /** Attempts of an address on one account without a wait. */
  freeAttempts: 10,
  /** Doubles with each further attempt. */
  firstWaitMs: 1_000,
  longestWaitMs: 900_000,
  /** Attempts in one window: of an address on all accounts, and on an account from all addresses. */
  windowMs: 900_000,
  perAddress: 100,
  perAccount: 100,
} as const;

/** Maximum number of entries in each map. */
const CAPACITY = 50_000;

interface AttemptCount {
  count: number;
  blockedUntil: number;
  forgottenAt: number;
}

/**
 * Slows down password guessing, at login or with a stolen token. Waits grow per account and address, so that a
 * stranger cannot lock out an owner at another address; looser limits apply to an address alone, and to an account
 * alone, except for addresses from which its owner has logged in. Counts are in memory and lost on restart;
 * `SharedPasswordThrottle` counts for all processes.
 */
@Injectable()
export class PasswordThrottle {
  private readonly pairs = new Map<string, AttemptCount>();
  private readonly addresses = new Map<string, AttemptCount>();
  private readonly accounts = new Map<string, AttemptCount>();
  private readonly trusted = new Map<string, true>();

  constructor(private readonly clock: Clock) {}

  /**
   * Admits an attempt and counts it as wrong until it proves right, so that concurrent attempts cannot bypass the
   * limit.
   * @returns function to be called if the password was right
   * @throws AppError `rate_limit_exceeded`
   */
  admit(account: string, address: string): () => void {
    const now = this.clock.now();
    const pair = `${address} ${account}`;
    const blockedMs = Math.max(
      this.waitOf(this.pairs.get(pair), now, PASSWORD_LIMITS.freeAttempts),
      this.waitOf(this.addresses.get(address), now, PASSWORD_LIMITS.perAddress),
      this.trusted.has(pair) ? 0 : this.waitOf(this.accounts.get(account), now, PASSWORD_LIMITS.perAccount),
    );
    if (blockedMs > 0) throw tooManyAttemptsError(blockedMs);
    const attempts = counted(this.pairs, pair, now, PASSWORD_LIMITS.longestWaitMs * 2);
    const beyond = attempts.count - PASSWORD_LIMITS.freeAttempts;
    if (beyond >= 0)
      attempts.blockedUntil =
        now + Math.min(PASSWORD_LIMITS.firstWaitMs * 2 ** beyond, PASSWORD_LIMITS.longestWaitMs);
    const counts = [
      counted(this.addresses, address, now, PASSWORD_LIMITS.windowMs),
      counted(this.accounts, account, now, PASSWORD_LIMITS.windowMs),
    ];
    for (const count of counts) count.blockedUntil = count.forgottenAt;
    return () => {
      this.pairs.delete(pair);
      for (const count of counts) count.count -= 1;
      this.trusted.delete(pair);
      bounded(this.trusted).set(pair, true);
    };
  }

  private waitOf(attempts: AttemptCount | undefined, now: number, free: number): number {
    if (attempts === undefined || attempts.forgottenAt <= now || attempts.count < free) return 0;
    return Math.max(0, attempts.blockedUntil - now);
  }
}

function counted(map: Map<string, AttemptCount>, key: string, now: number, keepMs: number): AttemptCount {
  const known = map.get(key);
  const attempts =
    known === undefined || known.forgottenAt <= now
      ? { count: 0, blockedUntil: 0, forgottenAt: now + keepMs }
      : known;
  map.delete(key);
  bounded(map).set(key, attempts);
  attempts.count += 1;
  return attempts;
}

/** Evicts the oldest entry if the map is full. */
function bounded<Value>(map: Map<string, Value>): Map<string, Value> {
  if (map.size < CAPACITY) return map;
  const [oldest] = map.keys();
  if (oldest !== undefined) map.delete(oldest);
  return map;
}

/** Returns the error for an attempt that comes too early. */
export function tooManyAttemptsError(retryAfterMs: number): AppError {
  const seconds = Math.ceil(retryAfterMs / 1000);
  return new AppError(
    'rate_limit_exceeded',
    `Too many wrong passwords. Try again in ${seconds} ${seconds === 1 ? 'second' : 'seconds'}.`,
    { retryAfterMs, retryable: false },
  );
}
