import { AppError } from '../../common/errors.js';

/** Rejects an address that another account has. */
export class EmailTakenError extends AppError {
  constructor() {
    super('email_taken', 'An account with this email address already exists. Log in instead.', {
      param: 'email',
      retryable: false,
    });
  }
}

/** Rejects a change that would leave the server without an admin. */
export class LastAdminError extends AppError {
  constructor() {
    super('last_admin', 'This is the last enabled admin account. Make another account an admin first.', {
      retryable: false,
    });
  }
}

/** Rejects a wrong password of a user who is already logged in. */
export class WrongPasswordError extends AppError {
  constructor() {
    super('invalid_credentials', 'The current password is wrong.', { param: 'current_password' });
  }
}
