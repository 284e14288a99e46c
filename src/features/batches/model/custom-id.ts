import { toStorableText } from '../../../common/stored-text.js';
import { BATCH_LIMITS, type InputFault } from './batch.js';

/** Fault of a request whose `custom_id` cannot be used. */
export const CUSTOM_ID_FAULT: Omit<InputFault, 'line'> = {
  code: 'invalid_custom_id',
  message: `custom_id must be a text of 1 to ${BATCH_LIMITS.customIdLength} characters, without NUL and lone surrogates.`,
  param: 'custom_id',
};

/** Returns true for a value that a request may have as its `custom_id`. PostgreSQL can store it. */
export function isCustomId(value: unknown): value is string {
  return (
    typeof value === 'string' &&
    value !== '' &&
    value.length <= BATCH_LIMITS.customIdLength &&
    toStorableText(value) === value
  );
}
