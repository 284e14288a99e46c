import { ACCESS_TOKEN_SECONDS } from './access-token.service.js';
import type { TokenBody } from './auth.dto.js';

/** An access token as a client gets it. */
export function toTokenBody(accessToken: string): TokenBody {
  return { access_token: accessToken, token_type: 'Bearer', expires_in: ACCESS_TOKEN_SECONDS };
}
