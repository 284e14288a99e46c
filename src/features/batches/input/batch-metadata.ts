import { InvalidRequestError } from '../../../common/errors.js';
import type { Fields } from './shared-fields.js';

/** Bounds of metadata, as in OpenAI's API; lengths in UTF-16 units. */
const METADATA_LIMITS = { pairs: 16, key: 64, value: 512 } as const;

/**
 * Checks the metadata of a batch.
 * @throws InvalidRequestError
 */
export function parseBatchMetadata(metadata: Fields): Readonly<Record<string, string>> {
  const pairs = Object.entries(metadata);
  if (pairs.length > METADATA_LIMITS.pairs)
    throw refused(`metadata must have at most ${METADATA_LIMITS.pairs} pairs`);
  return Object.fromEntries(
    pairs.map(([key, value]) => {
      if (key === '' || key.length > METADATA_LIMITS.key)
        throw refused(`metadata must have keys of 1 to ${METADATA_LIMITS.key} characters`);
      if (typeof value !== 'string' || value.length > METADATA_LIMITS.value)
        throw refused(`metadata must have strings of at most ${METADATA_LIMITS.value} characters as values`);
      return [key, value];
    }),
  );
}

function refused(message: string): InvalidRequestError {
  return new InvalidRequestError(`${message}.`, [{ field: 'metadata', message }]);
}
