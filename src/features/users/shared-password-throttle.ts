import { createHash } from 'node:crypto';
import { Injectable, Logger } from '@nestjs/common';
import type { Result } from 'ioredis';
import { normalizeAddress } from '../../common/address.js';
import { AppError } from '../../common/errors.js';
import { Metrics } from '../../infra/metrics/index.js';
import { RedisConnection } from '../../infra/redis/index.js';
import { PASSWORD_LIMITS, PasswordThrottle, tooManyAttemptsError } from './password-throttle.js';

/** Prefix that separates our keys from others in the same Redis. */
const PREFIX = 'parley:passwords:';

/** Time for which an owner's address is trusted after the last login from it, in milliseconds. */
const TRUST_MS = 2_592_000_000;

/** Keys of the pair, the address, the account, and the owner's address. */
type Keys = readonly [pair: string, address: string, account: string, trusted: string];

/**
 * Implements `PasswordThrottle.admit` atomically for all processes, using the clock of Redis. Returns the wait in
 * milliseconds, 0 if the attempt was admitted and counted.
 */
const ADMIT = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local free, perAddress, perAccount = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local first, longest, window = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])

local function waitOf(key, allowed)
  local tries = redis.call('HMGET', key, 'count', 'until')
  if tonumber(tries[1] or 0) < allowed then return 0 end
  return math.max(0, tonumber(tries[2] or 0) - now)
end

local function counted(key, keep)
  local count = redis.call('HINCRBY', key, 'count', 1)
  if redis.call('PTTL', key) < 0 then redis.call('PEXPIRE', key, keep) end
  return count
end

local function block(key, wait)
  redis.call('HSET', key, 'until', string.format('%.0f', now + wait))
end

local blocked = math.max(waitOf(KEYS[1], free), waitOf(KEYS[2], perAddress))
if redis.call('EXISTS', KEYS[4]) == 0 then blocked = math.max(blocked, waitOf(KEYS[3], perAccount)) end
if blocked > 0 then return blocked end
local beyond = counted(KEYS[1], longest * 2) - free
if beyond >= 0 then block(KEYS[1], math.min(first * 2 ^ beyond, longest)) end
for place = 2, 3 do
  counted(KEYS[place], window)
  block(KEYS[place], redis.call('PTTL', KEYS[place]))
end
return 0`;

/** Reverts the count of an attempt whose password was right. */
const SUCCEED = `
redis.call('DEL', KEYS[1])
for place = 2, 3 do
  if redis.call('EXISTS', KEYS[place]) == 1 then redis.call('HINCRBY', KEYS[place], 'count', -1) end
end
redis.call('SET', KEYS[4], '', 'PX', ARGV[1])
return 0`;

/** The scripts as commands. */
declare module 'ioredis' {
  interface RedisCommander<Context> {
    admitPassword(...keysAndLimits: readonly [...Keys, ...number[]]): Result<number, Context>;
    forgivePassword(...keysAndTrust: readonly [...Keys, trustMs: number]): Result<number, Context>;
  }
}

/**
 * Slows down password guessing with counts that all processes share through Redis. Without it, and while it is
 * unavailable, each process counts on its own, starting from zero.
 */
@Injectable()
export class SharedPasswordThrottle {
  private readonly logger = new Logger(SharedPasswordThrottle.name);

  constructor(
    private readonly redis: RedisConnection,
    private readonly memory: PasswordThrottle,
    private readonly metrics: Metrics,
  ) {
    redis.client?.defineCommand('admitPassword', { lua: ADMIT, numberOfKeys: 4 });
    redis.client?.defineCommand('forgivePassword', { lua: SUCCEED, numberOfKeys: 4 });
  }

  /**
   * Admits an attempt and counts it as wrong until it proves right, so that concurrent attempts cannot bypass the
   * limit.
   * @param address full address; all addresses of an IPv6 network count as one
   * @returns function to be called if the password was right
   * @throws AppError `rate_limit_exceeded`
   */
  async admit(account: string, address: string): Promise<() => Promise<void>> {
    try {
      return await this.admitAttempt(account, address);
    } catch (error) {
      if (error instanceof AppError) this.metrics.limitRejections.inc({ limit: 'password_attempts' });
      throw error;
    }
  }

  private async admitAttempt(account: string, address: string): Promise<() => Promise<void>> {
    const { client } = this.redis;
    const counted = normalizeAddress(address);
    if (client === undefined) return this.admitHere(account, counted);
    const keys = keysOf(account, counted);
    const waitMs = await this.answerOf(client.admitPassword(...keys, ...LIMITS_AS_ARGUMENTS));
    if (waitMs === undefined) return this.admitHere(account, counted);
    if (waitMs > 0) throw tooManyAttemptsError(waitMs);
    return async () => {
      await this.answerOf(client.forgivePassword(...keys, TRUST_MS));
    };
  }

  private admitHere(account: string, address: string): () => Promise<void> {
    const succeeded = this.memory.admit(account, address);
    return () => {
      succeeded();
      return Promise.resolve();
    };
  }

  /** Returns the answer of Redis; undefined while it is unavailable, which the connection logs once. */
  private async answerOf(command: Promise<number>): Promise<number | undefined> {
    try {
      return await command;
    } catch (error) {
      this.logger.debug({ err: error }, 'counting wrong passwords in memory for now');
      return undefined;
    }
  }
}

const LIMITS_AS_ARGUMENTS = [
  PASSWORD_LIMITS.freeAttempts,
  PASSWORD_LIMITS.perAddress,
  PASSWORD_LIMITS.perAccount,
  PASSWORD_LIMITS.firstWaitMs,
  PASSWORD_LIMITS.longestWaitMs,
  PASSWORD_LIMITS.windowMs,
];

function keysOf(account: string, address: string): Keys {
  return [
    keyOf('pair', account, address),
    keyOf('address', address),
    keyOf('account', account),
    keyOf('trusted', account, address),
  ];
}

/** Hashed, because an account is identified here by whatever was typed as its email address, of any length. */
function keyOf(kind: string, ...parts: readonly string[]): string {
  return `${PREFIX}${kind}:${createHash('sha256').update(JSON.stringify(parts)).digest('base64url')}`;
}
