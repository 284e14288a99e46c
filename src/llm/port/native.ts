import type { ChatChunk } from './chat.js';

/** The protocols that providers use. `llm/models/parameter-support.ts` lists what each of them can carry. */
export type Protocol = 'openai' | 'anthropic' | 'ollama' | 'demo';

/**
 * A request in one API format, beside its translation to the canonical format. A provider that uses this format
 * receives it unchanged, and its answer is returned unchanged; every other provider receives the translation.
 */
export interface NativeRequest {
  readonly protocol: Protocol;
  /** Path below the provider's base URL: `/v1/messages`, `/api/chat`. */
  readonly path: string;
  /**
   * The body as the caller sent it. The provider replaces the model by its own name and sets whether to stream.
   */
  readonly body: Readonly<Record<string, unknown>>;
  /** The caller's headers that belong to the protocol (versions, betas), in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  /**
   * The first field that the canonical format cannot express. If set, only a provider that uses this protocol
   * can honor the request.
   */
  readonly nativeOnlyField: string | undefined;
  /**
   * Fields that the canonical format cannot express and that an answer does not depend on. Reported to the
   * caller if a provider with another protocol answers.
   */
  readonly droppableFields?: readonly string[];
}

/**
 * A part of an answer in the caller's own API format, to be passed on unchanged. Nothing is left out, even if
 * it has no equivalent in the canonical format.
 */
export interface RelayedEvent {
  readonly type: 'relayed';
  /** The name of the event in protocols that name them, else an empty string. */
  readonly eventName: string;
  /** The data of the event, or the line including its line end, as received. */
  readonly raw: string;
  /** The equivalent in the canonical format; empty for pings and the like. */
  readonly chunks: readonly ChatChunk[];
}
