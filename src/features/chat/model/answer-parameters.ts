import type { ChatRequest } from '../../../llm/index.js';

/** How an answer is made, in the common tongue. What is left out is taken from the answer that it replaces, where there is one. */
export type AnswerParameters = Omit<ChatRequest, 'messages'>;
