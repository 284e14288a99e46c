import { Injectable } from '@nestjs/common';
import { AppError } from '../../common/errors.js';
import { AppConfig } from '../../config/index.js';
import { UserService } from '../users/index.js';
import { AccessTokenService } from './access-token.service.js';
import { hashPassword, passwordMatches } from './password.js';

interface Credentials {
  readonly email: string;
  readonly password: string;
}

/** Registration and login. Both give an access token. */
@Injectable()
export class AuthService {
  constructor(
    private readonly users: UserService,
    private readonly tokens: AccessTokenService,
    private readonly config: AppConfig,
  ) {}

  /** @throws AppError `registration_closed`, `email_taken` */
  async register({ email, password }: Credentials): Promise<string> {
    if (this.config.auth.registration === 'closed') {
      throw new AppError(
        'registration_closed',
        'This server does not let anybody register. Ask its operator for an account.',
      );
    }
    const user = await this.users.create({ email, passwordHash: await hashPassword(password) });
    return this.tokens.sign(user.id);
  }

  /** @throws AppError `invalid_credentials`, the same and after the same work for an unknown address and a wrong password */
  async login({ email, password }: Credentials): Promise<string> {
    const user = await this.users.findByEmail(email);
    const matches = await passwordMatches(password, user?.passwordHash);
    if (user !== null && matches) return this.tokens.sign(user.id);
    throw new AppError('invalid_credentials', 'The email address or the password is wrong.');
  }
}
