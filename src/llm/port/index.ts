export { CompletionAssembler, completionToChunks } from './assemble.js';
export { type CallIdRule, withAcceptedCallIds } from './call-ids.js';
export { Budget, type BudgetLease, type BudgetRequest } from './budget.js';
export {
  type AttemptRecord,
  type CallHandling,
  type CallPriority,
  type CountingCall,
  type EmbeddingRequest,
  type Embeddings,
  type ModelAnswer,
  type ModelCall,
  type ModelEvent,
  type ModelIdentity,
  REQUEST_HANDLING,
  type ServerDefault,
  type UsageRecorder,
} from './call.js';
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
  type ListModelsCall,
  type ListedModel,
  ModelProvider,
  type ProviderCall,
  type ProviderEvent,
  type CapabilityQuery,
  type CompleteAnswer,
} from './model-provider.js';
export { mediaKindsOf, type MediaKind } from './media.js';
export type { NativeRequest, RelayedEvent, Protocol } from './native.js';
export { FINISH_REASONS, NO_USAGE } from './chat.js';
export { CredentialSource } from './credential-source.js';
export { UsageSink } from './usage-sink.js';
export { ProviderError, type ProviderErrorKind } from './provider-error.js';
export { type HostFailure, isErrorReport, toHostError } from './host-error.js';
export { parseReply, invalidResponseError } from './reply-json.js';
export { parseReplyCount } from './reply-count.js';
export { getField, sanitizeMessage, getStringField } from './provider-reason.js';
export {
  readReturnedFields,
  type ReturnedFields,
  ReturnedFieldsCollector,
  withReturnedFields,
} from './returned-fields.js';
