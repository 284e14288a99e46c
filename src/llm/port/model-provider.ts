import type { ChatChunk, ChatRequest } from './chat.js';

/** One attempt at one model. */
export interface ProviderCall {
  /** The model's name as the provider knows it. */
  readonly model: string;
  readonly request: ChatRequest;
  /** Aborting closes the upstream socket; the iteration then ends by throwing. */
  readonly signal: AbortSignal;
}

/** What a provider's stream consists of. */
export type ProviderEvent =
  | { readonly type: 'chunk'; readonly chunk: ChatChunk }
  /** One event of the upstream could not be read and was left out; the stream goes on. */
  | { readonly type: 'skipped'; readonly reason: string };

/**
 * A source of answers. One implementation a wire format; many instances, one a host.
 *
 * `stream` ends normally only after a finish reason was seen; an upstream that ends without one is an error.
 * It asks the upstream for usage and yields the usage chunk where it gives one. It retries nothing: deadlines,
 * retries and fallbacks are decided above it.
 */
export abstract class ModelProvider {
  /** First segment of the full model name. */
  abstract readonly id: string;

  /** @throws ProviderError */
  abstract stream(call: ProviderCall): AsyncIterable<ProviderEvent>;

  /**
   * The models that can be asked for.
   * @throws ProviderError
   */
  abstract models(signal: AbortSignal): Promise<readonly string[]>;

  /** Closes what is kept for the next call. Nothing is asked of the provider after it. */
  close(): Promise<void> {
    return Promise.resolve();
  }
}
