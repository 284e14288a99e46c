import { type ErrorDetail, InvalidRequestError } from '../../../common/errors.js';
import { toStorableText } from '../../../common/stored-text.js';

/** Maximum length of the name of a field of metadata, in characters. */
export const MAX_METADATA_KEY_LENGTH = 64;

/** Maximum size of the metadata of a document, in bytes of its JSON. */
export const MAX_METADATA_BYTES = 16_384;

/** A value that metadata are compared with. */
export type MetadataScalar = string | number | boolean;

/** Metadata of a document: a flat object. */
export type DocumentMetadata = Readonly<Record<string, MetadataScalar | readonly string[]>>;

/**
 * Checks the metadata of a document. Removes what PostgreSQL cannot store (NUL, lone surrogates) from names and texts.
 * @param field name of the field of the request, for errors
 * @throws InvalidRequestError
 */
export function parseMetadata(value: unknown, field = 'metadata'): DocumentMetadata {
  if (!isJsonObject(value)) throw invalid([{ field, message: 'It must be an object.' }]);
  const details = Object.entries(value).flatMap(([key, entry]) => checkEntry(`${field}.${key}`, key, entry));
  if (details.length > 0) throw invalid(details);
  const metadata = Object.fromEntries(
    Object.entries(value).flatMap(([key, entry]) => {
      const stored = toStorableValue(entry);
      return stored === undefined ? [] : [[toStorableText(key), stored] as const];
    }),
  );
  if (Buffer.byteLength(JSON.stringify(metadata)) > MAX_METADATA_BYTES)
    throw invalid([{ field, message: 'It must be at most 16 KB as JSON.' }]);
  return metadata;
}

/** Returns true for an object that is neither null nor a list. */
export function isJsonObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Returns true for a string, a boolean or a number that JSON can express. */
export function isMetadataScalar(value: unknown): value is MetadataScalar {
  return typeof value === 'string' || typeof value === 'boolean' || Number.isFinite(value);
}

function checkEntry(field: string, key: string, value: unknown): ErrorDetail[] {
  if (toStorableText(key) === '' || key.length > MAX_METADATA_KEY_LENGTH)
    return [{ field, message: `A name must have 1 to ${MAX_METADATA_KEY_LENGTH} characters.` }];
  if (toStorableValue(value) !== undefined) return [];
  return [{ field, message: 'It must be a string, a number, a boolean or a list of strings.' }];
}

/** Returns a value as it is stored; undefined if it is of a type that metadata may not have. */
function toStorableValue(value: unknown): MetadataScalar | readonly string[] | undefined {
  if (Array.isArray(value)) {
    const texts = value.filter((entry) => typeof entry === 'string');
    return texts.length === value.length ? texts.map(toStorableText) : undefined;
  }
  if (!isMetadataScalar(value)) return undefined;
  return typeof value === 'string' ? toStorableText(value) : value;
}

function invalid(details: readonly ErrorDetail[]): InvalidRequestError {
  return new InvalidRequestError('The metadata are invalid.', details);
}
