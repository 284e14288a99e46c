import { InvalidRequestError } from '../../common/errors.js';
import { DEFAULT_PURPOSE, FILE_PURPOSES, type FilePurpose } from './file-purpose.js';

/** Names of the text fields of an upload form. */
export const UPLOAD_FIELDS = ['purpose', 'expires_after[anchor]', 'expires_after[seconds]'] as const;

/** Minimum lifetime of a file that expires, in seconds: an hour, as in OpenAI's API. */
const MIN_LIFETIME_S = 3600;

/** Maximum lifetime of a file that expires, in seconds: 30 days, as in OpenAI's API. */
const MAX_LIFETIME_S = 2_592_000;

/** Options of an upload. */
export interface UploadOptions {
  readonly purpose: FilePurpose;
  /** Lifetime from the upload, in seconds; undefined if the file does not expire. */
  readonly expiresAfterS: number | undefined;
}

/**
 * Returns the purpose that the fields of a form declare; undefined if they declare none.
 * @throws InvalidRequestError
 */
export function parsePurpose(fields: ReadonlyMap<string, string>): FilePurpose | undefined {
  const given = fields.get('purpose');
  if (given === undefined) return undefined;
  const purpose = FILE_PURPOSES.find((known) => known === given);
  if (purpose === undefined) throw invalid('purpose', `must be one of ${FILE_PURPOSES.join(', ')}`);
  return purpose;
}

/**
 * Returns the options that the fields of a form declare.
 * @throws InvalidRequestError
 */
export function parseUploadFields(
  fields: ReadonlyMap<string, string>,
  { needsPurpose }: { readonly needsPurpose: boolean },
): UploadOptions {
  const purpose = parsePurpose(fields);
  if (purpose === undefined && needsPurpose)
    throw invalid('purpose', `is required; use one of ${FILE_PURPOSES.join(', ')}`);
  return { purpose: purpose ?? DEFAULT_PURPOSE, expiresAfterS: parseLifetime(fields) };
}

function parseLifetime(fields: ReadonlyMap<string, string>): number | undefined {
  const anchor = fields.get('expires_after[anchor]');
  const given = fields.get('expires_after[seconds]');
  if (anchor === undefined && given === undefined) return undefined;
  if (anchor !== 'created_at') throw invalid('expires_after[anchor]', 'must be created_at');
  const seconds = /^\d{1,8}$/.test(given ?? '') ? Number(given) : NaN;
  if (!(seconds >= MIN_LIFETIME_S && seconds <= MAX_LIFETIME_S))
    throw invalid('expires_after[seconds]', `must be an integer from ${MIN_LIFETIME_S} to ${MAX_LIFETIME_S}`);
  return seconds;
}

function invalid(field: string, problem: string): InvalidRequestError {
  const message = `${field} ${problem}`;
  return new InvalidRequestError(`${message}.`, [{ field, message }]);
}
