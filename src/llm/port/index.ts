export { CompletionAssembler } from './assemble.js';
export type { AttemptRecord, ModelCall, ModelEvent, ModelIdentity } from './call.js';
export type {
  AnswerMessage,
  ChatChunk,
  ChatCompletion,
  ChatDelta,
  ChatMessage,
  ChatRequest,
  CompletionUsage,
  FinishReason,
  ProviderData,
  TokenUsage,
} from './chat.js';
export {
  type EmbeddingCall,
  type EmbeddingResult,
  ModelProvider,
  type ProviderCall,
  type ProviderEvent,
  type Wire,
} from './model-provider.js';
export { ProviderError, type ProviderErrorKind } from './provider-error.js';
