import { Body, Controller, HttpCode, Post } from '@nestjs/common';
import { ApiCreatedResponse, ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import { ApiErrors, Public } from '../../http/index.js';
import { CredentialsBody, TokenBody } from './auth.dto.js';
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
    description: 'Answers with an access token, so that no login is needed after it.',
  })
  @ApiCreatedResponse({ type: TokenBody, description: 'The account is made.' })
  @ApiErrors(
    'invalid_request',
    'registration_closed',
    'email_taken',
    'payload_too_large',
    'unsupported_media_type',
  )
  async register(@Body() body: CredentialsBody): Promise<TokenBody> {
    return toTokenBody(await this.auth.register(body));
  }

  @Post('login')
  @HttpCode(200)
  @ApiOperation({ summary: 'Log in' })
  @ApiOkResponse({ type: TokenBody, description: 'The password is right.' })
  @ApiErrors('invalid_request', 'invalid_credentials', 'payload_too_large', 'unsupported_media_type')
  async login(@Body() body: CredentialsBody): Promise<TokenBody> {
    return toTokenBody(await this.auth.login(body));
  }
}
