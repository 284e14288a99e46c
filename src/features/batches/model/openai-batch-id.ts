import { toOpenAiId } from '../../../common/openai-id.js';

/** Prefix of batch ids in OpenAI's format. */
export const OPENAI_BATCH_PREFIX = 'batch_';

/** Returns the id of a batch in OpenAI's format: the digits of its UUID after the prefix. */
export function toOpenAiBatchId(id: string): string {
  return toOpenAiId(OPENAI_BATCH_PREFIX, id);
}
