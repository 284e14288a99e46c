import { AppError } from '../../../common/errors.js';

/** Rejects sharing a conversation without messages. */
export class NothingToShareError extends AppError {
  constructor() {
    super('invalid_request', 'The conversation has no messages yet. Share it when something has been said.');
  }
}

/** Reports an unknown or revoked link. The message does not repeat the token: it may be somebody else's, mistyped. */
export class UnknownShareError extends AppError {
  constructor() {
    super('not_found', 'Nothing is shared under this link. Ask whoever sent it to you for a new one.');
  }
}
