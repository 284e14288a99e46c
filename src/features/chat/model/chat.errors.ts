import { AppError } from '../../../common/errors.js';

/** Suggested delay before a retry while an answer is being generated, in milliseconds. */
const TURN_RETRY_MS = 2000;

/** Rejects a second turn while one is running. */
export class ConversationBusyError extends AppError {
  constructor(messageId: string) {
    super(
      'conversation_busy',
      `The answer ${messageId} is still being generated in this conversation. Wait for it to end, then try again.`,
      { param: 'conversation_id', retryAfterMs: TURN_RETRY_MS, retryable: false },
    );
  }
}

/**
 * Reports that the server shut down, or lost its lease on the answer, during generation. The text so far is stored.
 */
export class TurnInterruptedError extends AppError {
  constructor() {
    super(
      'service_unavailable',
      'The answer was interrupted: the server stopped, or the conversation was deleted. The question and the text generated so far are stored with the conversation: regenerate the answer with POST /api/v1/conversations/{id}/messages/{message_id}/regenerate.',
      { retryAfterMs: 5000, retryable: false },
    );
  }
}

/** Reports that the process relaying an answer of another process is shutting down. Generation continues. */
export class FollowerDismissedError extends AppError {
  constructor() {
    super(
      'service_unavailable',
      'This server is shutting down. The answer is still being generated: resume with GET /api/v1/chat/stream/{message_id} and the id of the last event as Last-Event-ID.',
      { retryAfterMs: 1000 },
    );
  }
}

/**
 * Reports that another request with the same `Idempotency-Key` won the race. Never sent to clients: they get the
 * answer that the other request started.
 */
export class DuplicateRequestError extends AppError {
  constructor() {
    super('conversation_busy', 'The same request was sent twice at once.');
  }
}

/** Reports that a conversation is so large that its deletion takes longer than a request waits. */
export class DeletionUnfinishedError extends AppError {
  constructor() {
    super(
      'service_unavailable',
      'The conversation is large, and its deletion goes on. Send the request again to wait for its end.',
      { retryAfterMs: 2_000 },
    );
  }
}
