import type { ChatMessage, ModelCall } from '../../llm/index.js';

/** A message as far as it is looked at. */
export interface OllamaChatMessage {
  readonly role?: string;
  readonly content?: string | null;
}

/** A checked body of `POST /api/chat`; it holds more than is named. */
export interface OllamaChatBody {
  readonly model: string;
  readonly stream?: boolean | null;
  readonly messages?: readonly OllamaChatMessage[] | null;
}

/** A checked body of `POST /api/generate`; it holds more than is named. */
export interface OllamaGenerateBody {
  readonly model: string;
  readonly stream?: boolean | null;
  readonly system?: string | null;
  readonly prompt?: string | null;
}

/** A request and the path that it came by. */
export type OllamaRequest =
  | { readonly path: '/api/chat'; readonly body: OllamaChatBody }
  | { readonly path: '/api/generate'; readonly body: OllamaGenerateBody };

/** A request as the model layer takes it: in its own words, for its own wire only. */
export function toCallParts({ path, body }: OllamaRequest): Required<Pick<ModelCall, 'request' | 'native'>> {
  const messages = path === '/api/chat' ? messagesOf(body) : promptOf(body);
  return {
    // Nobody is asked this; it is what our own count goes by where the server tells no usage.
    request: { messages },
    native: { wire: 'ollama', path, body: { ...body }, headers: {}, onlyHere: 'model' },
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
