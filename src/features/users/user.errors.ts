import { AppError } from '../../common/errors.js';

/** Another account has the address. */
export class EmailTakenError extends AppError {
  constructor() {
    super('email_taken', 'An account with this email address already exists. Log in instead.', {
      param: 'email',
      retryable: false,
    });
  }
}

/** Nobody would be left to administer the server. */
export class LastAdminError extends AppError {
  constructor() {
    super('last_admin', 'This is the last enabled admin account. Make another account an admin first.', {
      retryable: false,
    });
  }
}

/** The password of somebody who is logged in already. */
export class WrongPasswordError extends AppError {
  constructor() {
    super('invalid_credentials', 'The current password is wrong.', { param: 'current_password' });
  }
}
