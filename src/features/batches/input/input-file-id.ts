import { NotFoundError } from '../../../common/errors.js';
import { isId } from '../../../common/ids.js';

/** A file id in the form of OpenAI's API: the digits of a UUID after a prefix. */
const OPENAI_ID = /^file-([0-9a-f]{8})([0-9a-f]{4})([0-9a-f]{4})([0-9a-f]{4})([0-9a-f]{12})$/i;

/**
 * Returns the id of a file that a client gives in either form.
 * @throws NotFoundError if it is not the id of any file
 */
export function parseInputFileId(given: string): string {
  const id = OPENAI_ID.exec(given)?.slice(1).join('-') ?? given;
  if (!isId(id)) throw new NotFoundError('file', given);
  return id.toLowerCase();
}
