import type { AnswerCaching } from '../../common/caller.js';
import type { MicroUsd } from '../../common/money.js';
import type { ChatChunk, ChatCompletion, ChatRequest, FinishReason, TokenUsage } from './chat.js';
import type { NativeRequest, RelayedEvent } from './native.js';

/**
 * A choice in a request that is this server's and not the caller's: a default temperature, the name under which a token
 * limit is sent, or the form of a history that was put together here. Only such a choice may be dropped or changed if a
 * model refuses it.
 */
export type OwnChoice = 'temperature' | 'limit_name' | 'history';

/** What a feature asks of the model layer. */
export interface ModelCall {
  /** Key of the call's attempt records; whoever calls twice with one id is billed once. */
  readonly callId: string;
  /** The account that the call is for. */
  readonly userId: string;
  /** The API key that it came with, for the ledger. */
  readonly apiKeyId?: string | null;
  /** `provider/model`, a bare model name, or undefined for the default model. */
  readonly model: string | undefined;
  readonly request: ChatRequest;
  /** The choices in the request that the caller did not make; none without it. */
  readonly ownChoices?: readonly OwnChoice[];
  /** The same request in the caller's own words, where those are not the common tongue's. */
  readonly native?: NativeRequest;
  /** Aborting closes the upstream socket and ends the call as cancelled. */
  readonly signal: AbortSignal;
  /**
   * Who writes the records of the attempts: the caller, together with the row that it owns, or the model layer itself,
   * into the `UsageSink`.
   */
  readonly accounting: 'caller' | 'sink';
  /** True where the caller asked the `Budget` itself, by `LlmService.reserve`, and settles the lease with its row. */
  readonly reserved?: boolean;
  /** Whether an answer of text that breaks off in the middle may begin again, once, on the next model. Never by default. */
  readonly restart?: 'never' | 'once';
  /** Set if the answer of an equal call of the same account may be given again, and this one cached. */
  readonly cache?: AnswerCaching | undefined;
  /** Returns whether an answer may be cached, for what the caller knows of it; without it every complete answer may. */
  readonly mayCache?: ((completion: ChatCompletion) => boolean) | undefined;
}

/** A request whose tokens are to be counted. Costs nothing, and nothing is recorded. */
export type CountingCall = Pick<ModelCall, 'userId' | 'model' | 'request' | 'native' | 'signal'>;

/** The model that answers: `name` is the full one, `provider/model`. */
export interface ModelIdentity {
  readonly provider: string;
  readonly model: string;
  readonly name: string;
}

/** What became of one attempt. Every attempt leaves one, whatever happened to it. */
export interface AttemptRecord {
  /** From 1 on within the call. */
  readonly attempt: number;
  readonly provider: string;
  readonly model: string;
  /** `cached`: no model was asked, the answer of an earlier call was given again. */
  readonly outcome: 'completed' | 'failed' | 'cancelled' | 'cached';
  readonly usage: TokenUsage;
  /** Null where no price is known. */
  readonly costMicroUsd: MicroUsd | null;
  /** True where the provider told no usage and we counted ourselves. */
  readonly estimated: boolean;
  /** Whether it was made with the user's own key, so that it costs this server nothing. */
  readonly ownKey?: boolean;
}

/** What a streamed call consists of; the last event is `finished`, or the iteration throws a `ModelCallError`. */
export type ModelEvent =
  /**
   * The answer begins: comes before its first chunk. `restarted` says that it broke off and begins again on another
   * model: what came so far is void.
   */
  | {
      readonly type: 'started' | 'restarted';
      readonly model: ModelIdentity;
      /** Parameters that the model's wire has no place for. */
      readonly ignored: readonly string[];
      /** True where the answer comes out of the cache. */
      readonly cached?: boolean;
    }
  | {
      readonly type: 'chunk';
      readonly chunk: ChatChunk;
      /** The chunk as it came, where it came in the common tongue. */
      readonly raw?: string;
    }
  | RelayedEvent
  | {
      readonly type: 'finished';
      readonly model: ModelIdentity;
      readonly finishReason: FinishReason;
      /** Of the attempt that answered. */
      readonly usage: TokenUsage;
      readonly attempts: readonly AttemptRecord[];
      /** Set where something of the answer may be missing. */
      readonly warning: string | null;
      /** True where the answer came out of the cache; `usage` is that of the attempt that made it. */
      readonly cached?: boolean;
    };

/** A whole answer. */
export interface ModelAnswer {
  readonly model: ModelIdentity;
  readonly completion: ChatCompletion;
  /** The answer as it came, where it came in the caller's wire. */
  readonly raw?: string;
  /** Of the attempt that made the answer. */
  readonly usage: TokenUsage;
  /** Parameters that the model's wire has no place for. */
  readonly ignored: readonly string[];
  readonly attempts: readonly AttemptRecord[];
  /** True where the answer came out of the cache. */
  readonly cached?: boolean;
}

/** What a feature asks of the model layer about texts to be embedded. */
export interface EmbeddingRequest {
  readonly callId: string;
  readonly userId: string;
  /** The API key that it came with, for the ledger. */
  readonly apiKeyId?: string | null;
  /** `provider/model` or a bare model name. */
  readonly model: string;
  readonly input: string[] | number[][];
  readonly dimensions: number | undefined;
  readonly signal: AbortSignal;
}

/** Vectors in the order of the input. */
export interface Embeddings {
  readonly model: ModelIdentity;
  readonly vectors: readonly (readonly number[])[];
  readonly attempts: readonly AttemptRecord[];
}
