import { NotFoundError } from '../../common/errors.js';

/** Prefix of file ids in OpenAI's format. */
const PREFIX = 'file-';

/** A file id: a UUID as in the native API, or its 32 digits after the prefix. */
const FILE_ID =
  /^(?:file-)?([0-9a-f]{8})-?([0-9a-f]{4})-?([1-8][0-9a-f]{3})-?([89ab][0-9a-f]{3})-?([0-9a-f]{12})$/i;

/** Returns the id of a file in OpenAI's format. */
export function toOpenAiFileId(id: string): string {
  return PREFIX + id.replaceAll('-', '');
}

/**
 * Returns the native id of a file.
 * @throws NotFoundError if it is not the id of any file
 */
export function parseFileId(given: string): string {
  const parts = FILE_ID.exec(given);
  if (parts === null) throw new NotFoundError('file', given);
  return parts.slice(1).join('-').toLowerCase();
}
