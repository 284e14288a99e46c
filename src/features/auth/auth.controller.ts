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
    summary: 'Make an account',
    description:
      'Answers with tokens, so that no login is needed after it. The first account of a server is an admin, but not in production.',
  })
  @ApiCreatedResponse({ type: TokenBody, description: 'The account is made.' })
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
      'After ten wrong passwords for an account from one address, each further one costs a longer wait.',
  })
  @ApiOkResponse({ type: TokenBody, description: 'The password is right.' })
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
      'Each refresh token counts once. One that comes again ends the session, because two hold it then; within ten seconds it is taken for a request that was sent twice, and gets a pair as well.',
  })
  @ApiOkResponse({ type: TokenBody, description: 'The next pair.' })
  @ApiErrors('invalid_request', 'invalid_refresh_token', 'payload_too_large', 'unsupported_media_type')
  async refresh(@CurrentActor() actor: Actor, @Body() body: RefreshBody): Promise<TokenBody> {
    return toTokenBody(await this.auth.refresh(actor, body.refresh_token));
  }

  @Post('logout')
  @HttpCode(204)
  @ApiOperation({
    summary: 'End a session, or all of them',
    description:
      'The refresh token says which session, or whose. Its access tokens end with it. A token that is not valid any more has nothing to end, and answers the same.',
  })
  @ApiNoContentResponse({ description: 'It is ended.' })
  @ApiErrors('invalid_request', 'payload_too_large', 'unsupported_media_type')
  logout(@CurrentActor() actor: Actor, @Body() body: LogoutBody): Promise<void> {
    return this.auth.logout(actor, body.refresh_token, body.everywhere === true);
  }
}
