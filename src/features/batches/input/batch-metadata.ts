import { InvalidRequestError } from '../../../common/errors.js';
import { METADATA_LIMITS } from '../model/batch.js';
import type { Fields } from './shared-fields.js';

/**
 * Checks the metadata of a batch.
 * @throws InvalidRequestError
 */
export function parseBatchMetadata(metadata: Fields): Readonly<Record<string, string>> {
  const pairs = Object.entries(metadata);
  if (pairs.length > METADATA_LIMITS.fields)
    throw refused(`metadata must have at most ${METADATA_LIMITS.fields} pairs`);
  return Object.fromEntries(
    pairs.map(([key, value]) => {
      if (key === '' || key.length > METADATA_LIMITS.nameLength)
        throw refused(`metadata must have keys of 1 to ${METADATA_LIMITS.nameLength} characters`);
      if (typeof value !== 'string' || value.length > METADATA_LIMITS.valueLength)
        throw refused(
          `metadata must have strings of at most ${METADATA_LIMITS.valueLength} characters as values`,
        );
      return [key, value];
    }),
  );
}

function refused(message: string): InvalidRequestError {
  return new InvalidRequestError(`${message}.`, [{ field: 'metadata', message }]);
}
