import { ValidationPipe, type ValidationError } from '@nestjs/common';
import { type ErrorDetail, InvalidRequestError } from '../common/errors.js';

/** Checks bodies and queries against their DTO. What the DTO does not know is refused by name. */
export function validationPipe(): ValidationPipe {
  return new ValidationPipe({
    transform: true,
    whitelist: true,
    forbidNonWhitelisted: true,
    forbidUnknownValues: true,
    stopAtFirstError: true,
    validationError: { target: false, value: false },
    exceptionFactory: (errors) => {
      const details = errors.flatMap((error) => detailsOf(error, ''));
      return new InvalidRequestError(`${details.map(({ message }) => message).join('; ')}.`, details);
    },
  });
}

function detailsOf(error: ValidationError, path: string): ErrorDetail[] {
  const field = path === '' ? error.property : `${path}.${error.property}`;
  const own = Object.values(error.constraints ?? {}).map((message) => ({
    field,
    message: plain(message, error.property),
  }));
  return [...own, ...(error.children ?? []).flatMap((child) => detailsOf(child, field))];
}

/** The library speaks of properties that should not exist; a caller wants to know which field we do not know. */
function plain(message: string, property: string): string {
  return message === `property ${property} should not exist`
    ? `${property} is not a field of this request`
    : message;
}
