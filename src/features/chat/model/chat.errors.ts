import { AppError } from '../../../common/errors.js';

/** How soon a new try makes sense while an answer is generated, in milliseconds. */
const BUSY_RETRY_MS = 2000;

/** A second turn while one runs. */
export class ConversationBusyError extends AppError {
  constructor(messageId: string) {
    super(
      'conversation_busy',
      `The answer ${messageId} is still being generated in this conversation. Wait for it to end, then try again.`,
      { param: 'conversation_id', retryAfterMs: BUSY_RETRY_MS, retryable: false },
    );
  }
}

/** The server went down, or lost its hold on the answer, while it was generated. What came so far is stored. */
export class TurnInterruptedError extends AppError {
  constructor() {
    super(
      'service_unavailable',
      'The answer was interrupted: the server stopped, or the conversation was deleted. The question and the text generated so far are stored with the conversation: regenerate the answer with POST /api/v1/conversations/{id}/messages/{message_id}/regenerate.',
      { retryAfterMs: 5000, retryable: false },
    );
  }
}

/** The process over which an answer of another one is read goes down. The answer goes on. */
export class FollowerDismissedError extends AppError {
  constructor() {
    super(
      'service_unavailable',
      'This server is shutting down. The answer is still being generated: resume with GET /api/v1/chat/stream/{message_id} and the id of the last event as Last-Event-ID.',
      { retryAfterMs: 1000 },
    );
  }
}

/** A request whose `Idempotency-Key` somebody else was quicker with. Never told: what that one began is given instead. */
export class DuplicateRequestError extends AppError {
  constructor() {
    super('conversation_busy', 'The same request was sent twice at once.');
  }
}

/** The same `Idempotency-Key` with another request. */
export class IdempotencyKeyReusedError extends AppError {
  constructor() {
    super(
      'idempotency_key_reused',
      'This Idempotency-Key was already used for a different request. Use a new key for each new request.',
      { param: 'Idempotency-Key', retryable: false },
    );
  }
}
