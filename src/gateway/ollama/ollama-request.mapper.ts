import type { ChatMessage, ModelCall } from '../../llm/index.js';

/** The fields of a message that are read here. */
export interface OllamaChatMessage {
  readonly role?: string;
  readonly content?: string | null;
}

/** A validated body of `POST /api/chat`; it may contain more fields than these. */
export interface OllamaChatBody {
  readonly model: string;
  readonly stream?: boolean | null;
  readonly messages?: readonly OllamaChatMessage[] | null;
}

/** A validated body of `POST /api/generate`; it may contain more fields than these. */
export interface OllamaGenerateBody {
  readonly model: string;
  readonly stream?: boolean | null;
  readonly system?: string | null;
  readonly prompt?: string | null;
}

/** A request and its path. */
export type OllamaRequest =
  | { readonly path: '/api/chat'; readonly body: OllamaChatBody }
  | { readonly path: '/api/generate'; readonly body: OllamaGenerateBody };

/** Converts a request for the model layer: in its own API format, for providers of this protocol only. */
export function toCallParts({ path, body }: OllamaRequest): Required<Pick<ModelCall, 'request' | 'native'>> {
  const messages = path === '/api/chat' ? messagesOf(body) : promptOf(body);
  return {
    // Never sent; only for our own token count if the server reports no usage.
    request: { messages },
    native: { protocol: 'ollama', path, body: { ...body }, headers: {}, nativeOnlyField: 'model' },
  };
}

function messagesOf({ messages }: OllamaChatBody): ChatMessage[] {
  return (messages ?? []).map(({ role, content }) => ({
    role: role === 'system' || role === 'assistant' ? role : 'user',
    content: content ?? '',
  }));
}

function promptOf({ system, prompt }: OllamaGenerateBody): ChatMessage[] {
  return [
    ...(system ? [{ role: 'system' as const, content: system }] : []),
    ...(prompt ? [{ role: 'user' as const, content: prompt }] : []),
  ];
}
