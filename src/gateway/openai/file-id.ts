import { parseOpenAiId, toOpenAiId } from '../../common/openai-id.js';

/** Prefix of file ids in OpenAI's format. */
const PREFIX = 'file-';

/** Returns the id of a file in OpenAI's format. */
export function toOpenAiFileId(id: string): string {
  return toOpenAiId(PREFIX, id);
}

/**
 * Returns the native id of a file.
 * @throws NotFoundError if it is not the id of any file
 */
export function parseFileId(given: string): string {
  return parseOpenAiId('file', PREFIX, given);
}
