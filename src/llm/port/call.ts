import type { AnswerCaching } from '../../common/caller.js';
import type { MicroUsd } from '../../common/money.js';
import type { ChatChunk, ChatCompletion, ChatRequest, FinishReason, TokenUsage } from './chat.js';
import type { NativeRequest, RelayedEvent } from './native.js';

/**
 * A property of a request that this server chose and the caller did not: a default temperature, the name under
 * which a token limit is sent, or the form of a history that was assembled here. Only such a property may be
 * dropped or changed if a model refuses it.
 */
export type ServerDefault = 'temperature' | 'limit_name' | 'history';

/**
 * Precedence of a call at its provider: an interactive call, whose client waits for it, comes before one in the
 * background.
 */
export type CallPriority = 'interactive' | 'background';

/** Receives the attempt records of calls, once per call and whatever its outcome. It must neither fail nor block. */
export interface UsageRecorder {
  record(
    call: { readonly callId: string; readonly userId: string; readonly apiKeyId?: string | null },
    attempts: readonly AttemptRecord[],
  ): void;
}

/** A call that a feature makes to the model layer. */
export interface ModelCall {
  /** Key of the call's attempt records. Two calls with the same id are billed once. */
  readonly callId: string;
  /** The account that makes the call. */
  readonly userId: string;
  /** The API key that the request came with, for the ledger. */
  readonly apiKeyId?: string | null;
  /** `provider/model`, a bare model name, or undefined for the default model. */
  readonly model: string | undefined;
  readonly request: ChatRequest;
  /** The properties of the request that the caller did not choose. Default: none. */
  readonly serverDefaults?: readonly ServerDefault[];
  /** The same request in the caller's API format, if that is not the canonical one. */
  readonly native?: NativeRequest;
  /** Aborting closes the upstream socket and ends the call as cancelled. */
  readonly signal: AbortSignal;
  /**
   * The writer of the attempt records: the caller, together with the row that it owns, or the model layer itself,
   * into the `UsageSink` or a recorder of the caller.
   */
  readonly accounting: 'caller' | 'sink' | UsageRecorder;
  /** Default: interactive. */
  readonly priority?: CallPriority;
  /**
   * True if the caller has already reserved the budget with `LlmService.reserve` and settles the lease together
   * with its row.
   */
  readonly hasReservation?: boolean;
  /**
   * Controls whether a text answer that breaks off midway may start over, once, on the next model. Default:
   * never.
   */
  readonly restart?: 'never' | 'once';
  /**
   * Set if a cached answer to an equal call of the same account may be returned, and this answer may be cached.
   */
  readonly cache?: AnswerCaching | undefined;
  /**
   * Returns true if the caller allows this answer to be cached. Without it, every complete answer may be
   * cached.
   */
  readonly mayCache?: ((completion: ChatCompletion) => boolean) | undefined;
}

/** The way in which the model layer handles the calls of a request. */
export type CallHandling = Required<Pick<ModelCall, 'accounting' | 'priority'>>;

/** Handling of the calls of a stateless request whose client waits for it. */
export const REQUEST_HANDLING: CallHandling = { accounting: 'sink', priority: 'interactive' };

/** A request whose tokens are to be counted. Counting costs nothing and is not recorded. */
export type CountingCall = Pick<ModelCall, 'userId' | 'model' | 'request' | 'native' | 'signal'>;

/** The model that answers. `name` is the full name, `provider/model`. */
export interface ModelIdentity {
  readonly provider: string;
  readonly model: string;
  readonly name: string;
}

/** The outcome of one attempt. Every attempt has a record, even a failed one. */
export interface AttemptRecord {
  /** Number of the attempt within the call, starting at 1. */
  readonly attempt: number;
  readonly provider: string;
  readonly model: string;
  /** `cached`: no model was called; the answer of an earlier call was returned. */
  readonly outcome: 'completed' | 'failed' | 'cancelled' | 'cached';
  readonly usage: TokenUsage;
  /** Null if the price is unknown. */
  readonly costMicroUsd: MicroUsd | null;
  /** True if the provider reported no usage and it was counted locally. */
  readonly estimated: boolean;
  /** True if the attempt used the user's own key, so that it costs this server nothing. */
  readonly ownKey?: boolean;
}

/** The events of a streamed call. The last one is `finished`, or the iteration throws a `ModelCallError`. */
export type ModelEvent =
  /**
   * The answer begins: comes before its first chunk. `restarted` means that the answer broke off and starts
   * over on another model: discard everything received so far.
   */
  | {
      readonly type: 'started' | 'restarted';
      readonly model: ModelIdentity;
      /** Parameters that the model's protocol has no field for. */
      readonly ignored: readonly string[];
      /** True if the answer comes from the cache. */
      readonly cached?: boolean;
    }
  | {
      readonly type: 'chunk';
      readonly chunk: ChatChunk;
      /** The chunk as received, if it was received in the canonical format. */
      readonly raw?: string;
    }
  | RelayedEvent
  | {
      readonly type: 'finished';
      readonly model: ModelIdentity;
      readonly finishReason: FinishReason;
      /** Usage of the attempt that answered. */
      readonly usage: TokenUsage;
      readonly attempts: readonly AttemptRecord[];
      /** Set if part of the answer may be missing. */
      readonly warning: string | null;
      /** True if the answer comes from the cache; `usage` is then that of the attempt that generated it. */
      readonly cached?: boolean;
    };

/** A whole answer. */
export interface ModelAnswer {
  readonly model: ModelIdentity;
  readonly completion: ChatCompletion;
  /** The answer as received, if it was received in the caller's API format. */
  readonly raw?: string;
  /** Usage of the attempt that generated the answer. */
  readonly usage: TokenUsage;
  /** Parameters that the model's protocol has no field for. */
  readonly ignored: readonly string[];
  readonly attempts: readonly AttemptRecord[];
  /** True if the answer comes from the cache. */
  readonly cached?: boolean;
}

/** A request of a feature to the model layer to embed texts. */
export interface EmbeddingRequest {
  readonly callId: string;
  readonly userId: string;
  /** The API key that the request came with, for the ledger. */
  readonly apiKeyId?: string | null;
  /** `provider/model` or a bare model name. */
  readonly model: string;
  readonly input: string[] | number[][];
  readonly dimensions: number | undefined;
  readonly signal: AbortSignal;
  /** The writer of the attempt records, as in {@link ModelCall}. Default: the model layer, into the `UsageSink`. */
  readonly accounting?: ModelCall['accounting'];
  /** Default: interactive. */
  readonly priority?: CallPriority;
  /**
   * False if no other model of a chain may answer, because vectors of different models cannot be compared. Default:
   * true.
   */
  readonly allowFallback?: boolean;
}

/** Vectors in the order of the input. */
export interface Embeddings {
  readonly model: ModelIdentity;
  readonly vectors: readonly (readonly number[])[];
  readonly attempts: readonly AttemptRecord[];
}
