import { AppError } from '../../../common/errors.js';

/** Rejects sharing a conversation without messages. */
export class EmptyConversationError extends AppError {
  constructor() {
    super('invalid_request', 'The conversation has no messages yet. Share it once it has some.');
  }
}

/** Reports an unknown or revoked link. The message does not repeat the token: it may be somebody else's, mistyped. */
export class UnknownShareError extends AppError {
  constructor() {
    super('not_found', 'This link is not valid. Ask the person who sent it for a new one.');
  }
}
