import type { ChatChunk } from './chat.js';

/** The wire formats that providers speak. What a wire can carry stands in one table (`llm/models/parameter-support.ts`). */
export type Wire = 'openai' | 'anthropic' | 'ollama' | 'demo';

/**
 * A request in the words of one wire, beside its meaning in the common tongue. A provider of that wire gets it as it
 * is, and its answer comes back as it is; every other one gets the meaning.
 */
export interface NativeRequest {
  readonly wire: Wire;
  /** Below the provider's base URL: `/v1/messages`, `/api/chat`. */
  readonly path: string;
  /** The body as the caller sent it. The provider puts its own name of the model in, and whether to stream. */
  readonly body: Readonly<Record<string, unknown>>;
  /** What of the caller's headers belongs to the wire (versions, betas), in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  /** The first field that the common tongue has no words for: only a provider of the wire can honour the request then. */
  readonly onlyHere: string | undefined;
  /** Fields that the common tongue has no words for and that an answer can do without: named where another wire answers. */
  readonly hints?: readonly string[];
}

/**
 * A piece of an answer on the caller's own wire, to be passed on as it is. Nothing of the wire is left out, whether it
 * means anything in the common tongue or not.
 */
export interface RelayedEvent {
  readonly type: 'relayed';
  /** The name of the event on wires that name them, else nothing. */
  readonly name: string;
  /** The event's data, or the line with its end, as it came. */
  readonly raw: string;
  /** What it means in the common tongue; nothing for pings and the like. */
  readonly chunks: readonly ChatChunk[];
}
