import { buildMessage, ValidateBy } from 'class-validator';
import { SMALLEST_USD } from '../../common/money.js';

/** Nothing, or no less than is counted: less would be stored as nothing, which shuts out whoever was given it. */
export function IsCountableAmount(): PropertyDecorator {
  return ValidateBy({
    name: 'isCountableAmount',
    validator: {
      validate: (value: unknown) => value === 0 || (typeof value === 'number' && value >= SMALLEST_USD),
      defaultMessage: buildMessage((prefix) => `${prefix}$property must be 0 or at least 0.000001`),
    },
  });
}
