import { Injectable } from '@nestjs/common';
import { ACCESS_CHANNEL, parseAccessChange } from '../../common/access-change.js';
import type { AccountAccess, Caller } from '../../common/caller.js';
import { AppError } from '../../common/errors.js';
import { Broadcast } from '../../infra/redis/index.js';
import { AccountAccessRepository } from './account-access.repository.js';
import { PrincipalCache } from './principal-cache.js';

/** Returns the callers of work that runs after the request that began it, with the permissions that they have now. */
@Injectable()
export class AccountAccessService {
  private readonly cache = new PrincipalCache<Caller>();

  constructor(
    private readonly accounts: AccountAccessRepository,
    broadcast: Broadcast,
  ) {
    broadcast.subscribe(ACCESS_CHANNEL, (message) => {
      const change = parseAccessChange(message);
      if (change !== undefined) this.cache.forgetChanged(change);
    });
  }

  /**
   * Returns the caller for an account and its key. A request without a key has all scopes.
   * @throws AppError `unauthorized` if the account is deleted or disabled, `invalid_api_key` if the key is revoked or
   * expired
   */
  getCaller(access: AccountAccess): Promise<Caller> {
    const { userId, apiKeyId } = access;
    return this.cache.get(`${userId} ${apiKeyId ?? ''}`, () => this.readCaller(access));
  }

  private async readCaller({ userId, apiKeyId }: AccountAccess): Promise<Caller> {
    const access = await this.accounts.findAccess({ userId, apiKeyId });
    if (access === undefined) throw new AppError('unauthorized', 'The account no longer exists.');
    if (access.disabled)
      throw new AppError('unauthorized', 'The account is disabled. Contact an admin of this server.');
    if (access.keyInvalid)
      throw new AppError('invalid_api_key', 'The API key was revoked or has expired. Create a new one.');
    const { cacheGeneration, scopes } = access;
    return { userId, apiKeyId, cacheGeneration, scopes: scopes === null ? 'all' : new Set(scopes) };
  }
}
