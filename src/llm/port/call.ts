import type { MicroUsd } from '../../common/money.js';
import type { ChatChunk, ChatRequest, FinishReason, TokenUsage } from './chat.js';

/** What a feature asks of the model layer. */
export interface ModelCall {
  /** Key of the call's attempt records; whoever calls twice with one id is billed once. */
  readonly callId: string;
  /** The account that the call is for. */
  readonly userId: string;
  /** `provider/model`, a bare model name, or undefined for the default model. */
  readonly model: string | undefined;
  readonly request: ChatRequest;
  /** Aborting closes the upstream socket and ends the call as cancelled. */
  readonly signal: AbortSignal;
}

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
  readonly outcome: 'completed' | 'failed' | 'cancelled';
  readonly usage: TokenUsage;
  /** Null where no price is known. */
  readonly costMicroUsd: MicroUsd | null;
  /** True where the provider told no usage and we counted ourselves. */
  readonly estimated: boolean;
}

/** What a streamed call consists of; the last event is `finished`, or the iteration throws a `ModelCallError`. */
export type ModelEvent =
  /** An attempt begins. */
  | { readonly type: 'started'; readonly model: ModelIdentity }
  | { readonly type: 'chunk'; readonly chunk: ChatChunk }
  | {
      readonly type: 'finished';
      readonly model: ModelIdentity;
      readonly finishReason: FinishReason;
      /** Of the attempt that answered. */
      readonly usage: TokenUsage;
      readonly attempts: readonly AttemptRecord[];
      /** Set where something of the answer may be missing. */
      readonly warning: string | null;
    };
