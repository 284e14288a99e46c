import { Inject, Injectable } from '@nestjs/common';
import type { ConfigType } from '@nestjs/config';
import { ACCESS_CHANNEL, serializeAccessChange } from '../../common/access-change.js';
import type { Actor } from '../../common/actor.js';
import { normalizeEmail } from '../../common/email-address.js';
import { AppError } from '../../common/errors.js';
import { registrationConfig } from '../../config/index.js';
import { Broadcast } from '../../infra/redis/index.js';
import { AuditService } from '../audit/index.js';
import { hashPassword, passwordMatches, SharedPasswordThrottle, UserService } from '../users/index.js';
import { AccessTokenService } from './access-token.service.js';
import { type OpenedSession, SessionRepository } from './session.repository.js';

interface Credentials {
  readonly email: string;
  readonly password: string;
}

/** Tokens with which a client acts for an account. */
export interface TokenPair {
  readonly accessToken: string;
  readonly refreshToken: string;
}

/** Registration, login, token refresh, logout and password changes. */
@Injectable()
export class AuthService {
  constructor(
    private readonly users: UserService,
    private readonly sessions: SessionRepository,
    private readonly tokens: AccessTokenService,
    private readonly throttle: SharedPasswordThrottle,
    private readonly audit: AuditService,
    private readonly broadcast: Broadcast,
    @Inject(registrationConfig.KEY) private readonly config: ConfigType<typeof registrationConfig>,
  ) {}

  /**
   * Registers an account.
   * @throws AppError `registration_closed`, `email_taken`
   */
  async register(actor: Actor, { email, password }: Credentials): Promise<TokenPair> {
    if (this.config.registration === 'closed') {
      throw new AppError(
        'registration_closed',
        'Registration is closed on this server. Ask its operator for an account.',
      );
    }
    const passwordHash = await hashPassword(password);
    const role = this.config.firstIsAdmin ? 'first_is_admin' : 'user';
    const user = await this.users.create({ email, passwordHash, role });
    await this.audit.record('user.registered', {
      actor: { ...actor, userId: user.id },
      userId: user.id,
      detail: { role: user.role },
    });
    const session = await this.sessions.openSession(user.id, passwordHash);
    if (session === undefined) throw wrongCredentials();
    return this.tokensOf(session);
  }

  /**
   * Logs in.
   * @throws AppError `invalid_credentials`, identical and after the same work for an unknown address and a wrong
   *   password; `account_disabled` only with the correct password; `rate_limit_exceeded`
   */
  async login(actor: Actor, { email, password }: Credentials): Promise<TokenPair> {
    const succeeded = await this.throttle.admit(normalizeEmail(email), actor.address ?? '');
    const user = await this.users.findByEmail(email);
    const matches = await passwordMatches(password, user?.passwordHash);
    const userId = user?.id ?? null;
    const refuse = async (reason: string, error: AppError): Promise<never> => {
      await this.audit.record('session.refused', { actor, userId, detail: { reason } });
      throw error;
    };
    if (user === null || !matches) return refuse('wrong_credentials', wrongCredentials());
    await succeeded();
    if (user.disabledAt !== null) return refuse('disabled', disabledAccount());
    const session = await this.sessions.openSession(user.id, user.passwordHash);
    if (session === undefined) return refuse('changed_meanwhile', wrongCredentials());
    await this.audit.record('session.opened', {
      actor: { ...actor, userId },
      userId,
      subject: session.sessionId,
    });
    return this.tokensOf(session);
  }

  /**
   * Returns the next pair of tokens of a session.
   * @throws AppError `invalid_refresh_token`
   */
  async refresh(actor: Actor, refreshToken: string): Promise<TokenPair> {
    const exchange = await this.sessions.exchangeToken(refreshToken);
    if (exchange.result === 'exchanged') return this.tokensOf(exchange);
    if (exchange.result === 'reused') {
      const { userId, sessionId: subject } = exchange;
      await this.forget(userId);
      await this.audit.record('session.reused', { actor, userId, subject });
      throw new AppError(
        'invalid_refresh_token',
        'This refresh token was already used, so someone else may have it. The session has been ended; log in again.',
      );
    }
    throw new AppError('invalid_refresh_token', 'The refresh token is no longer valid. Log in again.');
  }

  /**
   * Ends the session of a refresh token, or all sessions of its account. Does nothing for a token that is not ours.
   */
  async logout(actor: Actor, refreshToken: string, everywhere: boolean): Promise<void> {
    const ended = await this.sessions.endSession(refreshToken, everywhere);
    if (ended === undefined) return;
    const { userId, sessionId: subject } = ended;
    await this.forget(userId);
    await this.audit.record(everywhere ? 'session.ended_everywhere' : 'session.ended', {
      actor: { ...actor, userId },
      userId,
      subject,
    });
  }

  /**
   * Changes the password and ends all sessions, including this one.
   * @throws WrongPasswordError
   * @throws AppError `rate_limit_exceeded`
   */
  async changePassword(
    actor: Actor,
    userId: string,
    change: { readonly current: string; readonly next: string },
  ): Promise<void> {
    const { passwordHash: from } = await this.users.verifyPassword(actor, userId, change.current);
    if (!(await this.sessions.changePassword(userId, { from, to: await hashPassword(change.next) })))
      throw wrongCredentials();
    await this.forget(userId);
    await this.audit.record('user.password_changed', { actor, userId });
  }

  private async tokensOf(session: OpenedSession): Promise<TokenPair> {
    return { accessToken: await this.tokens.sign(session), refreshToken: session.refreshToken };
  }

  /** Makes all processes verify the account's access tokens again. */
  private forget(userId: string): Promise<void> {
    return this.broadcast.publish(ACCESS_CHANNEL, serializeAccessChange({ kind: 'changed', userId }));
  }
}

function wrongCredentials(): AppError {
  return new AppError('invalid_credentials', 'The email address or the password is wrong.');
}

function disabledAccount(): AppError {
  return new AppError('account_disabled', 'The account is disabled. Contact an admin of this server.');
}
