import { Injectable } from '@nestjs/common';
import { ACCESS_CHANNEL, parseAccessChange } from '../../common/access-change.js';
import { AppError } from '../../common/errors.js';
import { Authenticator, type Principal } from '../../http/index.js';
import { Broadcast } from '../../infra/redis/index.js';
import { ApiKeyService } from '../api-keys/index.js';
import { AccessTokenService } from './access-token.service.js';
import { PrincipalCache } from './principal-cache.js';
import { SessionRepository } from './session.repository.js';

/** Authenticates access tokens of active sessions, and API keys. */
@Injectable()
export class CredentialAuthenticator extends Authenticator {
  private readonly cache = new PrincipalCache<Principal>();

  constructor(
    private readonly tokens: AccessTokenService,
    private readonly sessions: SessionRepository,
    private readonly keys: ApiKeyService,
    broadcast: Broadcast,
  ) {
    super();
    broadcast.subscribe(ACCESS_CHANNEL, (message) => {
      const change = parseAccessChange(message);
      if (change !== undefined) this.cache.forgetChanged(change);
    });
  }

  override authenticate(credential: string): Promise<Principal> {
    return this.cache.get(credential, () =>
      this.keys.looksLikeKey(credential) ? this.ofKey(credential) : this.ofToken(credential),
    );
  }

  private async ofKey(key: string): Promise<Principal> {
    const { scopes, ...holder } = await this.keys.verify(key);
    return { ...holder, sessionId: null, scopes: new Set(scopes) };
  }

  private async ofToken(token: string): Promise<Principal> {
    const { userId, sessionId } = await this.tokens.verify(token);
    const account = await this.sessions.findSessionAccount(userId, sessionId);
    if (account === undefined) throw refused('The account of this access token no longer exists.');
    if (account.disabled) throw refused('The account is disabled. Contact an admin of this server.');
    if (!account.sessionOpen) throw refused('The session of this access token has ended. Log in again.');
    const { role, cacheGeneration } = account;
    return { userId, sessionId, apiKeyId: null, role, cacheGeneration, scopes: 'all' };
  }
}

function refused(message: string): AppError {
  return new AppError('unauthorized', message);
}
