import { Injectable } from '@nestjs/common';
import { AppError } from '../../common/errors.js';
import { Authenticator, type Principal } from '../../http/index.js';
import { UserService } from '../users/index.js';
import { AccessTokenService } from './access-token.service.js';
import { PrincipalCache } from './principal-cache.js';

/** Takes access tokens, of accounts that are still there. */
@Injectable()
export class JwtAuthenticator extends Authenticator {
  private readonly cache = new PrincipalCache<Principal>();

  constructor(
    private readonly tokens: AccessTokenService,
    private readonly users: UserService,
  ) {
    super();
  }

  override authenticate(credential: string): Promise<Principal> {
    return this.cache.get(credential, () => this.verify(credential));
  }

  private async verify(credential: string): Promise<Principal> {
    const userId = await this.tokens.verify(credential);
    if ((await this.users.findById(userId)) === null) {
      throw new AppError('unauthorized', 'The account of this access token is gone.');
    }
    return { userId, apiKeyId: null };
  }
}
