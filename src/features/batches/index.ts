export { BatchesModule } from './batches.module.js';
export { BatchesCoreModule } from './batches-core.module.js';
export { BatchesWorkerModule } from './batches-worker.module.js';
export { type BatchKey, BatchService } from './batches/batch.service.js';
export {
  type Batch,
  BATCH_ENDPOINTS,
  BATCH_LIMITS,
  BATCH_WINDOW_HOURS,
  type BatchEndpoint,
  type BatchStatus,
  hasEnded,
  type InputFault,
  isBatchEndpoint,
  METADATA_LIMITS,
} from './model/batch.js';
export { BatchEndpoints, type EndpointCall } from './model/batch-endpoints.js';
export { OPENAI_BATCH_PREFIX, toOpenAiBatchId } from './model/openai-batch-id.js';
export type { ItemResult } from './model/batch-item.js';
export { BatchItemRepository } from './rows/batch-item.repository.js';
