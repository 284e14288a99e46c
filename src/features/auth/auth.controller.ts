import { Body, Controller, HttpCode, Post } from '@nestjs/common';
import {
  ApiCreatedResponse,
  ApiNoContentResponse,
  ApiOkResponse,
  ApiOperation,
  ApiTags,
} from '@nestjs/swagger';
import type { Actor } from '../../common/actor.js';
import { ApiErrors, CurrentActor, Public } from '../../http/index.js';
import { CredentialsBody, LogoutBody, RefreshBody, TokenBody } from './auth.dto.js';
import { toTokenBody } from './auth.mapper.js';
import { AuthService } from './auth.service.js';

@Public()
@ApiTags('auth')
@Controller('api/v1/auth')
export class AuthController {
  constructor(private readonly auth: AuthService) {}

  @Post('register')
  @ApiOperation({
    summary: 'Register an account',
    description:
      'Returns tokens, so no login is needed afterwards. The first account of a server becomes an admin, except in production.',
  })
  @ApiCreatedResponse({ type: TokenBody, description: 'The account was created.' })
  @ApiErrors(
    'invalid_request',
    'registration_closed',
    'email_taken',
    'payload_too_large',
    'unsupported_media_type',
  )
  async register(@CurrentActor() actor: Actor, @Body() body: CredentialsBody): Promise<TokenBody> {
    return toTokenBody(await this.auth.register(actor, body));
  }

  @Post('login')
  @HttpCode(200)
  @ApiOperation({
    summary: 'Log in',
    description:
      'After ten wrong passwords for an account from one address, each further one requires a longer wait.',
  })
  @ApiOkResponse({ type: TokenBody, description: 'The password is correct.' })
  @ApiErrors(
    'invalid_request',
    'invalid_credentials',
    'account_disabled',
    'payload_too_large',
    'unsupported_media_type',
    'rate_limit_exceeded',
  )
  async login(@CurrentActor() actor: Actor, @Body() body: CredentialsBody): Promise<TokenBody> {
    return toTokenBody(await this.auth.login(actor, body));
  }

  @Post('refresh')
  @HttpCode(200)
  @ApiOperation({
    summary: 'Exchange a refresh token for the next pair',
    description:
      'Each refresh token can be used once. Reuse ends the session, because two parties then hold the token; within ten seconds it is treated as a request sent twice and returns a pair as well.',
  })
  @ApiOkResponse({ type: TokenBody, description: 'The next pair of tokens.' })
  @ApiErrors('invalid_request', 'invalid_refresh_token', 'payload_too_large', 'unsupported_media_type')
  async refresh(@CurrentActor() actor: Actor, @Body() body: RefreshBody): Promise<TokenBody> {
    return toTokenBody(await this.auth.refresh(actor, body.refresh_token));
  }

  @Post('logout')
  @HttpCode(204)
  @ApiOperation({
    summary: 'End a session, or all of them',
    description:
      'The refresh token identifies the session, or the account whose sessions end. The session’s access tokens become invalid with it. A token that is no longer valid ends nothing and gets the same response.',
  })
  @ApiNoContentResponse({ description: 'The session has ended.' })
  @ApiErrors('invalid_request', 'payload_too_large', 'unsupported_media_type')
  logout(@CurrentActor() actor: Actor, @Body() body: LogoutBody): Promise<void> {
    return this.auth.logout(actor, body.refresh_token, body.everywhere === true);
  }
}
