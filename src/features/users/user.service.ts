import { Injectable } from '@nestjs/common';
import { AppError, NotFoundError } from '../../common/errors.js';
import { newId } from '../../common/ids.js';
import { type StoredUser, UserRepository } from './user.repository.js';

/** Accounts. */
@Injectable()
export class UserService {
  constructor(private readonly users: UserRepository) {}

  /**
   * Makes an account.
   * @throws AppError `email_taken`
   */
  async create(account: { email: string; passwordHash: string }): Promise<StoredUser> {
    const user = await this.users.insert({ ...account, id: newId(), email: normalized(account.email) });
    if (user !== undefined) return user;
    throw new AppError(
      'email_taken',
      'There is an account with this email address already. Log in instead.',
      {
        param: 'email',
        retryable: false,
      },
    );
  }

  findByEmail(email: string): Promise<StoredUser | null> {
    return this.users.findByEmail(normalized(email));
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
}

/** Mail providers do not tell upper from lower case, and people do not remember which they typed. */
function normalized(email: string): string {
  return email.toLowerCase();
}
