export type { AttemptRecord, ModelCall, ModelEvent, ModelIdentity } from './call.js';
export type { ChatChunk, ChatMessage, ChatRequest, FinishReason, ProviderData, TokenUsage } from './chat.js';
export { FINISH_REASONS } from './chat.js';
export { ModelProvider, type ProviderCall, type ProviderEvent } from './model-provider.js';
export { ProviderError, type ProviderErrorKind } from './provider-error.js';
