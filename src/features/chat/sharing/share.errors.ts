import { AppError } from '../../../common/errors.js';

/** A conversation in which nothing has been said. */
export class NothingToShareError extends AppError {
  constructor() {
    super('invalid_request', 'The conversation has no messages yet. Share it once it has some.');
  }
}

/** A link that leads nowhere, whatever became of it. It is not told again: it may be somebody's, mistyped. */
export class UnknownShareError extends AppError {
  constructor() {
    super('not_found', 'This link is not valid. Ask the person who sent it for a new one.');
  }
}
