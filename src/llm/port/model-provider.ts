import { CompletionAssembler } from './assemble.js';
import type { OwnChoice } from './call.js';
import type { ChatChunk, ChatCompletion, ChatRequest, CompletionUsage } from './chat.js';
import type { MediaKind } from './media.js';
import type { NativeRequest, RelayedEvent, Wire } from './native.js';
import { ProviderError } from './provider-error.js';

/** One attempt at one model. */
export interface ProviderCall {
  /** The model's name as the provider knows it. */
  readonly model: string;
  /** Holds only what the provider's wire can carry. */
  readonly request: ChatRequest;
  /** The choices in the request that the caller did not make. The provider may drop or change these, and no others. */
  readonly ownChoices?: readonly OwnChoice[];
  /** The same in the provider's own words, where the caller speaks its wire: sent instead, and answered with `relayed`. */
  readonly native?: NativeRequest;
  /** The user's own key, instead of the server's. */
  readonly apiKey?: string;
  /** Aborting closes the upstream socket; the call then fails. */
  readonly signal: AbortSignal;
}

/** A whole answer of a provider. */
export interface WholeAnswer {
  readonly completion: ChatCompletion;
  /** The answer as it came, where it came in the caller's wire. */
  readonly raw?: string;
}

/** What a provider's stream consists of. */
export type ProviderEvent =
  | {
      readonly type: 'chunk';
      readonly chunk: ChatChunk;
      /** The chunk as it came, where the provider's wire is the common tongue: nothing needs to be written again. */
      readonly raw?: string;
    }
  | RelayedEvent
  /** Figures before the end, which the usage chunk replaces; what is known where the end never comes. */
  | { readonly type: 'usage'; readonly usage: CompletionUsage }
  /** One event of the upstream could not be read and was left out; the stream goes on. */
  | { readonly type: 'skipped'; readonly reason: string };

/** A model that can be asked for. */
export interface ListedModel {
  /** Its name as the provider knows it. */
  readonly id: string;
  /** Tokens of request and answer together that it takes, where the provider tells. */
  readonly contextWindow?: number;
}

/** Whose models are to be listed. */
export interface ListCall {
  /** The user's own key, instead of the server's. */
  readonly apiKey?: string;
  readonly signal: AbortSignal;
}

/** What model is to be looked at. */
export interface ReadingCall extends ListCall {
  /** The model's name as the provider knows it. */
  readonly model: string;
}

/** Texts, or tokens, to be embedded. */
export interface EmbeddingCall {
  /** The model's name as the provider knows it. */
  readonly model: string;
  readonly input: string[] | number[][];
  /** How long the vectors are to be; the model's own length without it. */
  readonly dimensions: number | undefined;
  /** The user's own key, instead of the server's. */
  readonly apiKey?: string;
  readonly signal: AbortSignal;
}

/** Vectors in the order of the input. */
export interface EmbeddingResult {
  readonly vectors: readonly (readonly number[])[];
  /** Tokens of the input, or undefined where the provider does not tell. */
  readonly inputTokens: number | undefined;
}

/**
 * A source of answers. One implementation a wire format; many instances, one a host.
 *
 * `stream` ends normally only after a finish reason was seen; an upstream that ends without one is an error.
 * It asks the upstream for usage and yields the usage chunk (`choices: []`) where it gives one, last of all.
 * It retries nothing: deadlines, retries and fallbacks are decided above it. One exception: if a host refuses something
 * that the caller did not send, the provider may ask once more without it, within the same attempt.
 */
export abstract class ModelProvider {
  /** First segment of the full model name. */
  abstract readonly id: string;
  abstract readonly wire: Wire;

  /** @throws ProviderError */
  abstract stream(call: ProviderCall): AsyncIterable<ProviderEvent>;

  /**
   * A whole answer. Put together from the stream, which every wire has, unless the provider knows better.
   * @throws ProviderError
   */
  async complete(call: ProviderCall): Promise<WholeAnswer> {
    const assembler = new CompletionAssembler();
    for await (const event of this.stream(call)) if (event.type === 'chunk') assembler.add(event.chunk);
    return { completion: assembler.completion() };
  }

  /**
   * The models that can be asked for.
   * @throws ProviderError
   */
  abstract models(signal: AbortSignal): Promise<readonly ListedModel[]>;

  /**
   * The list of models as it came, for callers who speak the provider's wire.
   * @throws ProviderError `rejected` where the provider's wire is not passed through
   */
  nativeModels({ signal: { reason: cause } }: ListCall): Promise<string> {
    const message = `Provider '${this.id}' does not support requests in its own API format.`;
    return Promise.reject(new ProviderError('rejected', message, { cause }));
  }

  /** @throws ProviderError `rejected` where the provider has no embeddings */
  embed(call: EmbeddingCall): Promise<EmbeddingResult> {
    return Promise.reject(
      new ProviderError('rejected', `The provider of '${call.model}' does not support embeddings.`),
    );
  }

  /**
   * The tokens that a request takes by the provider's own count, or undefined where it does not count this one.
   * @throws ProviderError
   */
  countTokens?(call: ProviderCall): Promise<number | undefined>;

  /**
   * Whether a model takes images or PDFs beside text; undefined where nothing is known of it. Without the method nothing
   * is known of any.
   * @throws ProviderError
   */
  reads?(kind: MediaKind, call: ReadingCall): Promise<boolean | undefined>;

  /**
   * The hints of a request that the API format could carry and this very model does not take: left out or changed, and
   * named to the caller.
   */
  droppedHints?(request: ChatRequest, model: string): readonly string[];

  /** Closes what is kept for the next call. Nothing is asked of the provider after it. */
  close(): Promise<void> {
    return Promise.resolve();
  }
}
