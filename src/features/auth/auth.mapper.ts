import { ACCESS_TOKEN_SECONDS } from './access-token.service.js';
import type { TokenBody } from './auth.dto.js';
import type { Tokens } from './auth.service.js';

/** A pair of tokens as a client gets it. */
export function toTokenBody({ accessToken, refreshToken }: Tokens): TokenBody {
  return {
    access_token: accessToken,
    refresh_token: refreshToken,
    token_type: 'Bearer',
    expires_in: ACCESS_TOKEN_SECONDS,
  };
}
