import { Injectable } from '@nestjs/common';
import { Clock } from '../../common/clock.js';
import { AppError } from '../../common/errors.js';

/** How many wrong passwords are borne, and what further ones cost; times are in milliseconds. */
export const LIMITS = {
  /** Of an address for one account, before it has to wait. */
  freeTries: 10,
  /** Doubles with each further one. */
  firstWaitMs: 1_000,
  longestWaitMs: 900_000,
  /** In one window: of an address for all accounts, and of an account from everywhere. */
  windowMs: 900_000,
  perAddress: 100,
  perAccount: 100,
} as const;

/** Pairs and counts that are remembered at the most. */
const CAPACITY = 50_000;

interface Tries {
  count: number;
  blockedUntil: number;
  forgottenAt: number;
}

/**
 * Slows down who guesses passwords, at a login or with a token that may be stolen. Waits grow for the account and
 * address together, so that a stranger cannot lock an owner out, who comes from elsewhere; looser bounds hold for an
 * address alone, and for an account alone, but not for addresses from which its owner has logged in. In the memory of
 * the process, which forgets when it restarts; `SharedPasswordThrottle` counts for all of them.
 */
@Injectable()
export class PasswordThrottle {
  private readonly pairs = new Map<string, Tries>();
  private readonly addresses = new Map<string, Tries>();
  private readonly accounts = new Map<string, Tries>();
  private readonly trusted = new Map<string, true>();

  constructor(private readonly clock: Clock) {}

  /**
   * Lets a try through and counts it as wrong until it turns out to be right, so that many at once are no way around.
   * @returns to be called when the password was right
   * @throws AppError `rate_limit_exceeded`
   */
  admit(account: string, address: string): () => void {
    const now = this.clock.now();
    const pair = `${address} ${account}`;
    const blockedMs = Math.max(
      this.waitOf(this.pairs.get(pair), now, LIMITS.freeTries),
      this.waitOf(this.addresses.get(address), now, LIMITS.perAddress),
      this.trusted.has(pair) ? 0 : this.waitOf(this.accounts.get(account), now, LIMITS.perAccount),
    );
    if (blockedMs > 0) throw tooManyTries(blockedMs);
    const tries = counted(this.pairs, pair, now, LIMITS.longestWaitMs * 2);
    const beyond = tries.count - LIMITS.freeTries;
    if (beyond >= 0)
      tries.blockedUntil = now + Math.min(LIMITS.firstWaitMs * 2 ** beyond, LIMITS.longestWaitMs);
    const counts = [
      counted(this.addresses, address, now, LIMITS.windowMs),
      counted(this.accounts, account, now, LIMITS.windowMs),
    ];
    for (const count of counts) count.blockedUntil = count.forgottenAt;
    return () => {
      this.pairs.delete(pair);
      for (const count of counts) count.count -= 1;
      this.trusted.delete(pair);
      bounded(this.trusted).set(pair, true);
    };
  }

  private waitOf(tries: Tries | undefined, now: number, free: number): number {
    if (tries === undefined || tries.forgottenAt <= now || tries.count < free) return 0;
    return Math.max(0, tries.blockedUntil - now);
  }
}

function counted(map: Map<string, Tries>, key: string, now: number, keepMs: number): Tries {
  const known = map.get(key);
  const tries =
    known === undefined || known.forgottenAt <= now
      ? { count: 0, blockedUntil: 0, forgottenAt: now + keepMs }
      : known;
  map.delete(key);
  bounded(map).set(key, tries);
  tries.count += 1;
  return tries;
}

/** Forgets the oldest where there is no room. */
function bounded<Value>(map: Map<string, Value>): Map<string, Value> {
  if (map.size < CAPACITY) return map;
  const [oldest] = map.keys();
  if (oldest !== undefined) map.delete(oldest);
  return map;
}

/** The refusal of a try that comes too early. */
export function tooManyTries(retryAfterMs: number): AppError {
  const seconds = Math.ceil(retryAfterMs / 1000);
  return new AppError(
    'rate_limit_exceeded',
    `Too many wrong passwords. Try again in ${seconds} ${seconds === 1 ? 'second' : 'seconds'}.`,
    { retryAfterMs, retryable: false },
  );
}
