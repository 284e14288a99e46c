import { Module } from '@nestjs/common';
import type { ConfigType } from '@nestjs/config';
import { JwtModule } from '@nestjs/jwt';
import { accessTokensConfig } from '../../config/index.js';
import { ApiKeysModule } from '../api-keys/index.js';
import { AuditModule } from '../audit/index.js';
import { UsersModule } from '../users/index.js';
import {
  ACCESS_TOKEN_SECONDS,
  AccessTokenService,
  TOKEN_AUDIENCE,
  TOKEN_ISSUER,
} from './access-token.service.js';
import { AuthController } from './auth.controller.js';
import { AuthService } from './auth.service.js';
import { AdminAccountService } from './admin-account.service.js';
import { AccessWatchModule } from './access-watch.module.js';
import { CredentialAuthenticator } from './credential.authenticator.js';
import { PasswordController } from './password.controller.js';

@Module({
  imports: [
    AccessWatchModule,
    UsersModule,
    ApiKeysModule,
    AuditModule,
    JwtModule.registerAsync({
      inject: [accessTokensConfig.KEY],
      useFactory: ({ jwtSecret }: ConfigType<typeof accessTokensConfig>) => ({
        secret: jwtSecret,
        signOptions: {
          algorithm: 'HS256',
          expiresIn: ACCESS_TOKEN_SECONDS,
          issuer: TOKEN_ISSUER,
          audience: TOKEN_AUDIENCE,
        },
        // Pinned, otherwise a token could choose how it is verified.
        verifyOptions: { algorithms: ['HS256'], issuer: TOKEN_ISSUER, audience: TOKEN_AUDIENCE },
      }),
    }),
  ],
  controllers: [AuthController, PasswordController],
  providers: [AdminAccountService, AuthService, AccessTokenService, CredentialAuthenticator],
  exports: [AdminAccountService, CredentialAuthenticator],
})
export class AuthModule {}
