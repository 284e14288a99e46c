import { Injectable } from '@nestjs/common';
import { ACCESS_CHANNEL, writeAccessChange } from '../../common/access-change.js';
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

/** Accounts, as their owners use them. */
@Injectable()
export class UserService {
  constructor(
    private readonly users: UserRepository,
    private readonly throttle: SharedPasswordThrottle,
    private readonly audit: AuditService,
    private readonly broadcast: Broadcast,
  ) {}

  /**
   * Makes an account. Its address is stored normalised.
   * @throws EmailTakenError, InvalidRequestError where the normalised address is none
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

  /** Finds the account that an address, as somebody typed it, belongs to. */
  findByEmail(email: string): Promise<StoredUser | null> {
    return this.users.findByEmail(storedEmailForms(email));
  }

  findById(id: string): Promise<StoredUser | null> {
    return this.users.findById(id);
  }

  /** @throws NotFoundError */
  async get(id: string): Promise<StoredUser> {
    const user = await this.users.findById(id);
    if (user === null) throw new NotFoundError('user', id);
    return user;
  }

  /**
   * The account, where the password is its own. Guessing is slowed down here as at a login: a token may be stolen.
   * @throws WrongPasswordError, AppError `rate_limit_exceeded`
   */
  async confirm(actor: Actor, id: string, currentPassword: string): Promise<StoredUser> {
    const succeeded = await this.throttle.admit(id, actor.address ?? '');
    const user = await this.get(id);
    if (!(await passwordMatches(currentPassword, user.passwordHash))) throw new WrongPasswordError();
    await succeeded();
    return user;
  }

  /**
   * Gives an account another address.
   * @throws WrongPasswordError, EmailTakenError, InvalidRequestError, AppError `rate_limit_exceeded`
   */
  async changeEmail(
    actor: Actor,
    userId: string,
    change: { readonly email: string; readonly currentPassword: string },
  ): Promise<StoredUser> {
    const email = toStoredEmail(change.email);
    await this.confirm(actor, userId, change.currentPassword);
    const user = await this.users.changeEmail(userId, email);
    if (user === undefined) throw new NotFoundError('user', userId);
    if (user === 'taken') throw new EmailTakenError();
    await this.broadcast.publish(ACCESS_CHANNEL, writeAccessChange({ kind: 'changed', userId }));
    await this.audit.record('user.updated', { actor, userId, detail: { fields: ['email'] } });
    return user;
  }
}

/** Longest address, in characters, as RFC 5321 has it. */
const MAX_EMAIL_LENGTH = 254;

/** A character may stand for several, or for an @: what was an address may be none in its normalised form. */
function toStoredEmail(typed: string): string {
  const email = normalizeEmail(typed);
  if (isEmail(email) && maxLength(email, MAX_EMAIL_LENGTH)) return email;
  const message = 'email must be an email address';
  throw new InvalidRequestError(`${message}.`, [{ field: 'email', message }]);
}
