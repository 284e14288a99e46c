import { parseOpenAiId } from '../../../common/openai-id.js';

/**
 * Returns the id of a file that a client gives as in our own API or as in OpenAI's.
 * @throws NotFoundError if it is not the id of any file
 */
export function parseInputFileId(given: string): string {
  return parseOpenAiId('file', 'file-', given);
}
