import { buildMessage, ValidateBy } from 'class-validator';
import { MIN_RECORDED_USD } from '../../common/money.js';

/**
 * Validates an amount of 0, or at least the smallest recordable one: less would be stored as 0, which blocks the
 * account.
 */
export function IsCountableAmount(): PropertyDecorator {
  return ValidateBy({
    name: 'isCountableAmount',
    validator: {
      validate: (value: unknown) => value === 0 || (typeof value === 'number' && value >= MIN_RECORDED_USD),
      defaultMessage: buildMessage((prefix) => `${prefix}$property must be 0 or at least 0.000001`),
    },
  });
}
