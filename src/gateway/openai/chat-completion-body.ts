import type OpenAI from 'openai';
import type { ChatRequest } from '../../llm/index.js';

/** A Chat Completions request whose body was validated. */
export type ChatCompletionBody = ChatRequest & {
  readonly model?: string;
  readonly stream?: boolean | null;
  /** Our own field: true if a cached answer to an equal request may be returned. */
  readonly cache?: boolean | null;
  /** Our own field: ids or names of the collections that the answer is based on. */
  readonly collection?: string | readonly string[] | null;
  readonly stream_options?: OpenAI.Chat.ChatCompletionStreamOptions | null;
};
