export { estimateAbandonedAttempt } from './execution/estimate-abandoned-attempt.js';
export { estimateMediaTokens } from './accounting/media-tokens.js';
export { PriceTable } from './accounting/price-table.js';
export { joinNeighbors } from './execution/join-neighbors.js';
export { LlmModule } from './llm.module.js';
export { LlmService } from './llm.service.js';
export { ModelCallError } from './port/model-call-error.js';
export type { MediaSupportLevel } from './models/media-support.js';
export { ModelCatalog } from './models/model-catalog.js';
export type { ProviderHealth } from './models/model-directory.js';
export type {
  AnswerMessage,
  AttemptRecord,
  BudgetLease,
  BudgetRequest,
  CallHandling,
  ChatChunk,
  ChatCompletion,
  ChatDelta,
  ChatMessage,
  ChatRequest,
  CountingCall,
  Embeddings,
  MediaKind,
  ModelAnswer,
  ModelCall,
  ModelEvent,
  ModelIdentity,
  NativeRequest,
  ProviderData,
  TokenUsage,
} from './port/index.js';
export {
  Budget,
  CredentialSource,
  NO_USAGE,
  readReturnedFields,
  REQUEST_HANDLING,
  ReturnedFieldsCollector,
  UsageSink,
} from './port/index.js';
export { estimateChat } from './accounting/estimate.js';
export type { SharedLease } from './execution/shared-lease.js';
export { countTokens, countTokensOfEach } from './accounting/token-counter.js';
export type { ContextWindow } from './models/context-windows.js';
