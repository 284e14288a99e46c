import { parseOpenAiId } from '../../common/openai-id.js';
import { OPENAI_BATCH_PREFIX } from '../../features/batches/index.js';

/**
 * Returns the native id of a batch.
 * @throws NotFoundError if it is not the id of any batch
 */
export function parseBatchId(given: string): string {
  return parseOpenAiId('batch', OPENAI_BATCH_PREFIX, given);
}
