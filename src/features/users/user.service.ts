import { Injectable } from '@nestjs/common';
import { ACCESS_CHANNEL, serializeAccessChange } from '../../common/access-change.js';
import type { Actor } from '../../common/actor.js';
import { isEmail, maxLength } from 'class-validator';
import { normalizeEmail, storedEmailForms } from '../../common/email-address.js';
import { InvalidRequestError, NotFoundError } from '../../common/errors.js';
import { newId } from '../../common/ids.js';
import { Broadcast } from '../../infra/redis/index.js';
import { AuditService } from '../audit/index.js';
import { passwordMatches } from './password.js';
import { SharedPasswordThrottle } from './shared-password-throttle.js';
import { EmailTakenError, WrongPasswordError } from './user.errors.js';
import { type StoredUser, UserRepository, type UserRole } from './user.repository.js';

/** Manages accounts on behalf of their owners. */
@Injectable()
export class UserService {
  constructor(
    private readonly users: UserRepository,
    private readonly throttle: SharedPasswordThrottle,
    private readonly audit: AuditService,
    private readonly broadcast: Broadcast,
  ) {}

  /**
   * Creates an account. Its address is stored in normalized form.
   * @throws EmailTakenError
   * @throws InvalidRequestError if the normalized form is not an address
   */
  async create(account: {
    email: string;
    passwordHash: string;
    role: UserRole | 'first_is_admin';
  }): Promise<StoredUser> {
    const user = await this.users.insert({ ...account, id: newId(), email: toStoredEmail(account.email) });
    if (user === undefined) throw new EmailTakenError();
    return user;
  }

  /** Finds the account of an address as the user typed it. */
  findByEmail(email: string): Promise<StoredUser | null> {
    return this.users.findByEmail(storedEmailForms(email));
  }

  findById(id: string): Promise<StoredUser | null> {
    return this.users.findById(id);
  }

  /** @throws NotFoundError */
  async getUser(id: string): Promise<StoredUser> {
    const user = await this.users.findById(id);
    if (user === null) throw new NotFoundError('user', id);
    return user;
  }

  /**
   * Returns the account if the password matches. Guessing is slowed down as at login, because a token may be stolen.
   * @throws WrongPasswordError
   * @throws AppError `rate_limit_exceeded`
   */
  async verifyPassword(actor: Actor, id: string, currentPassword: string): Promise<StoredUser> {
    const succeeded = await this.throttle.admit(id, actor.address ?? '');
    const user = await this.getUser(id);
    if (!(await passwordMatches(currentPassword, user.passwordHash))) throw new WrongPasswordError();
    await succeeded();
    return user;
  }

  /**
   * Changes the address of an account.
   * @throws WrongPasswordError
   * @throws EmailTakenError
   * @throws InvalidRequestError
   * @throws AppError `rate_limit_exceeded`
   */
  async changeEmail(
    actor: Actor,
    userId: string,
    change: { readonly email: string; readonly currentPassword: string },
  ): Promise<StoredUser> {
    const email = toStoredEmail(change.email);
    await this.verifyPassword(actor, userId, change.currentPassword);
    const user = await this.users.changeEmail(userId, email);
    if (user === undefined) throw new NotFoundError('user', userId);
    if (user === 'taken') throw new EmailTakenError();
    await this.broadcast.publish(ACCESS_CHANNEL, serializeAccessChange({ kind: 'changed', userId }));
    await this.audit.record('user.updated', { actor, userId, detail: { fields: ['email'] } });
    return user;
  }
}

/** Maximum length of an address in characters, according to RFC 5321. */
const MAX_EMAIL_LENGTH = 254;

/** Normalizes an address. One character may become several, or an @, so the result may no longer be an address. */
function toStoredEmail(typed: string): string {
  const email = normalizeEmail(typed);
  if (isEmail(email) && maxLength(email, MAX_EMAIL_LENGTH)) return email;
  const message = 'email must be an email address';
  throw new InvalidRequestError(`${message}.`, [{ field: 'email', message }]);
}
