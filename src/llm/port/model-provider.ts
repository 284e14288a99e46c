import { CompletionAssembler } from './assemble.js';
import type { ServerDefault } from './call.js';
import type { ChatChunk, ChatCompletion, ChatRequest, CompletionUsage } from './chat.js';
import type { MediaKind } from './media.js';
import type { NativeRequest, RelayedEvent, Protocol } from './native.js';
import { ProviderError } from './provider-error.js';

/** One attempt at one model. */
export interface ProviderCall {
  /** The provider's own name of the model. */
  readonly model: string;
  /** Contains only what the provider's protocol can carry. */
  readonly request: ChatRequest;
  /**
   * The properties of the request that the caller did not choose. The provider may drop or change these, and no
   * others.
   */
  readonly ownChoices?: readonly ServerDefault[];
  /**
   * The same request in the provider's API format, if the caller uses that protocol. It is sent instead, and
   * answered with `relayed` events.
   */
  readonly native?: NativeRequest;
  /** The user's own key, which replaces the server's. */
  readonly apiKey?: string;
  /** Aborting closes the upstream socket; the call then fails. */
  readonly signal: AbortSignal;
}

/** A whole answer of a provider. */
export interface CompleteAnswer {
  readonly completion: ChatCompletion;
  /** The answer as received, if it was received in the caller's API format. */
  readonly raw?: string;
}

/** An event of a provider's stream. */
export type ProviderEvent =
  | {
      readonly type: 'chunk';
      readonly chunk: ChatChunk;
      /** The chunk as received, if the provider uses the canonical format: it need not be serialized again. */
      readonly raw?: string;
    }
  | RelayedEvent
  /** Usage reported before the end. The usage chunk replaces it; it is all there is if the end never comes. */
  | { readonly type: 'usage'; readonly usage: CompletionUsage }
  /** One event of the upstream could not be read and was skipped; the stream continues. */
  | { readonly type: 'skipped'; readonly reason: string };

/** A model that can be requested. */
export interface ListedModel {
  /** The provider's own name of the model. */
  readonly id: string;
  /** Maximum tokens of request and answer together, if the provider reports it. */
  readonly contextWindow?: number;
}

/** A request for the list of models. */
export interface ListModelsCall {
  /** The user's own key, which replaces the server's. */
  readonly apiKey?: string;
  readonly signal: AbortSignal;
}

/** A request for the capabilities of one model. */
export interface CapabilityQuery extends ListModelsCall {
  /** The provider's own name of the model. */
  readonly model: string;
}

/** Texts or tokens to be embedded. */
export interface EmbeddingCall {
  /** The provider's own name of the model. */
  readonly model: string;
  readonly input: string[] | number[][];
  /** Length of the vectors. Default: the model's own. */
  readonly dimensions: number | undefined;
  /** The user's own key, which replaces the server's. */
  readonly apiKey?: string;
  readonly signal: AbortSignal;
}

/** Vectors in the order of the input. */
export interface EmbeddingResult {
  readonly vectors: readonly (readonly number[])[];
  /** Tokens of the input; undefined if the provider does not report them. */
  readonly inputTokens: number | undefined;
}

/**
 * A source of answers. There is one implementation for each protocol, and one instance for each host.
 *
 * `stream` ends normally only after a finish reason; an upstream that ends without one is an error. It requests
 * usage from the upstream and yields the usage chunk (`choices: []`), if there is one, last. It retries
 * nothing: its caller decides about deadlines, retries and fallbacks. There is one exception: if a host refuses
 * something that the caller did not send, the provider may repeat the request once without it, within the same
 * attempt.
 */
export abstract class ModelProvider {
  /** First segment of the full model name. */
  abstract readonly id: string;
  abstract readonly protocol: Protocol;

  /** @throws ProviderError */
  abstract stream(call: ProviderCall): AsyncIterable<ProviderEvent>;

  /**
   * Returns a whole answer. Assembled from the stream, which every protocol has, unless the provider overrides
   * this.
   * @throws ProviderError
   */
  async complete(call: ProviderCall): Promise<CompleteAnswer> {
    const assembler = new CompletionAssembler();
    for await (const event of this.stream(call)) if (event.type === 'chunk') assembler.add(event.chunk);
    return { completion: assembler.completion() };
  }

  /**
   * Returns the models that can be requested.
   * @throws ProviderError
   */
  abstract listModels(signal: AbortSignal): Promise<readonly ListedModel[]>;

  /**
   * Returns the list of models as received, for callers that use the provider's protocol.
   * @throws ProviderError `rejected` if the provider's protocol is not passed through
   */
  listNativeModels({ signal: { reason: cause } }: ListModelsCall): Promise<string> {
    const message = `Provider '${this.id}' does not support requests in its own API format.`;
    return Promise.reject(new ProviderError('rejected', message, { cause }));
  }

  /** @throws ProviderError `rejected` if the provider has no embeddings */
  embed(call: EmbeddingCall): Promise<EmbeddingResult> {
    return Promise.reject(
      new ProviderError('rejected', `The provider of '${call.model}' does not support embeddings.`),
    );
  }

  /**
   * Returns the input tokens of a request by the provider's own count, or undefined if it cannot count this
   * request.
   * @throws ProviderError
   */
  countTokens?(call: ProviderCall): Promise<number | undefined>;

  /**
   * Returns true if a model accepts images or PDFs besides text, and undefined if that is unknown. Without this
   * method it is unknown for every model.
   * @throws ProviderError
   */
  supportsMedia?(kind: MediaKind, call: CapabilityQuery): Promise<boolean | undefined>;

  /**
   * Returns the hints of a request that the API format could carry but that this particular model does not
   * accept. They are dropped or changed, and reported to the caller.
   */
  droppedParameters?(request: ChatRequest, model: string): readonly string[];

  /** Closes the connections that are pooled for later calls. No method is called after it. */
  close(): Promise<void> {
    return Promise.resolve();
  }
}
