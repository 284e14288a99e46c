import { Inject, Injectable } from '@nestjs/common';
import type { ConfigType } from '@nestjs/config';
import { JwtService } from '@nestjs/jwt';
import { AppError } from '../../common/errors.js';
import { isId } from '../../common/ids.js';
import { accessTokensConfig } from '../../config/index.js';

/** Lifetime of an access token, in seconds. */
export const ACCESS_TOKEN_SECONDS = 900;

/** Issuer and audience of our tokens. A token that another system issued with the same secret is not accepted. */
export const TOKEN_ISSUER = 'parley';
export const TOKEN_AUDIENCE = 'parley-api';

/** The account and session of a token. */
export interface AccessClaims {
  readonly userId: string;
  readonly sessionId: string;
}

/** Signs and verifies access tokens (JWT, HS256; algorithm, issuer and audience are pinned by the module). */
@Injectable()
export class AccessTokenService {
  constructor(
    private readonly jwt: JwtService,
    @Inject(accessTokensConfig.KEY) private readonly config: ConfigType<typeof accessTokensConfig>,
  ) {}

  sign({ userId, sessionId }: AccessClaims): Promise<string> {
    return this.jwt.signAsync({ sid: sessionId }, { subject: userId });
  }

  /**
   * Returns the account and session of a token.
   * @throws AppError `unauthorized` if it is expired, tampered with or not ours
   */
  async verify(token: string): Promise<AccessClaims> {
    const claims = await this.claimsOf(token);
    const userId = idIn(claims, 'sub');
    const sessionId = idIn(claims, 'sid');
    if (userId === undefined || sessionId === undefined) throw refused(undefined);
    return { userId, sessionId };
  }

  private async claimsOf(token: string): Promise<unknown> {
    const { previousJwtSecret: secret } = this.config;
    try {
      return await this.jwt.verifyAsync<object>(token);
    } catch (error) {
      if (secret === undefined || isExpiry(error)) throw refused(error);
      return this.jwt.verifyAsync<object>(token, { secret }).catch((second: unknown) => {
        throw refused(second);
      });
    }
  }
}

function idIn(claims: unknown, name: string): string | undefined {
  const value: unknown =
    typeof claims === 'object' && claims !== null ? Reflect.get(claims, name) : undefined;
  return typeof value === 'string' && isId(value) ? value : undefined;
}

function isExpiry(error: unknown): boolean {
  return error instanceof Error && error.name === 'TokenExpiredError';
}

function refused(cause: unknown): AppError {
  return new AppError(
    'unauthorized',
    isExpiry(cause)
      ? 'The access token has expired. Refresh it, or log in again.'
      : 'The access token is invalid. Log in again.',
  );
}
