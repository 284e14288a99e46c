import { Injectable } from '@nestjs/common';
import { JwtService } from '@nestjs/jwt';
import { AppError } from '../../common/errors.js';
import { isId } from '../../common/ids.js';

/** How long an access token is valid, in seconds. */
export const ACCESS_TOKEN_SECONDS = 900;

/** Who makes and who takes our tokens. A token of another system under the same secret is none of ours. */
export const TOKEN_ISSUER = 'parley';
export const TOKEN_AUDIENCE = 'parley-api';

/** Signs and verifies access tokens (JWT, HS256; algorithm, issuer and audience are pinned by the module). */
@Injectable()
export class AccessTokenService {
  constructor(private readonly jwt: JwtService) {}

  sign(userId: string): Promise<string> {
    return this.jwt.signAsync({}, { subject: userId });
  }

  /**
   * The account of a token.
   * @throws AppError `unauthorized` where it is expired, tampered with or none of ours
   */
  async verify(token: string): Promise<string> {
    const claims: unknown = await this.jwt.verifyAsync(token).catch((error: unknown) => {
      throw refused(error);
    });
    const subject: unknown =
      typeof claims === 'object' && claims !== null ? Reflect.get(claims, 'sub') : undefined;
    if (typeof subject !== 'string' || !isId(subject)) throw refused(undefined);
    return subject;
  }
}

function refused(cause: unknown): AppError {
  const expired = cause instanceof Error && cause.name === 'TokenExpiredError';
  return new AppError(
    'unauthorized',
    expired ? 'The access token has expired. Log in again.' : 'The access token is not valid. Log in again.',
  );
}
