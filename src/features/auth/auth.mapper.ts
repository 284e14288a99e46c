import { ACCESS_TOKEN_SECONDS } from './access-token.service.js';
import type { TokenBody } from './auth.dto.js';
import type { TokenPair } from './auth.service.js';

/** Converts a pair of tokens to its API representation. */
export function toTokenBody({ accessToken, refreshToken }: TokenPair): TokenBody {
  return {
    access_token: accessToken,
    refresh_token: refreshToken,
    token_type: 'Bearer',
    expires_in: ACCESS_TOKEN_SECONDS,
  };
}
