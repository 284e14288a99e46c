import type { ChatRequest } from '../../../llm/index.js';

/** Generation parameters in the canonical format. A missing one is taken from the answer that is replaced, if there is one. */
export type AnswerParameters = Omit<ChatRequest, 'messages'>;
