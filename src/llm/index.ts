export { abandonedAttempt } from './abandoned-attempt.js';
export { LlmModule } from './llm.module.js';
export { LlmService } from './llm.service.js';
export { ModelCallError } from './model-call-error.js';
export type { ProviderHealth } from './model-directory.js';
export type {
  AttemptRecord,
  ChatChunk,
  ChatCompletion,
  ChatMessage,
  ChatRequest,
  CountingCall,
  Embeddings,
  ModelAnswer,
  ModelCall,
  ModelEvent,
  ModelIdentity,
  NativeRequest,
  TokenUsage,
} from './port/index.js';
export { UsageSink } from './port/index.js';
export { countTokens } from './token-counter.js';
