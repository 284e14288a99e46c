import { type ArgumentMetadata, ValidationPipe, type ValidationError } from '@nestjs/common';
import { type ErrorDetail, InvalidRequestError } from '../common/errors.js';

/** Deeper bodies are refused: the libraries that validate follow them by recursion. */
const MAX_DEPTH = 64;

/** Checks bodies and queries against their DTO. What the DTO does not know is refused by name. */
export function validationPipe(): ValidationPipe {
  return new RequestPipe({
    transform: true,
    whitelist: true,
    forbidNonWhitelisted: true,
    forbidUnknownValues: true,
    stopAtFirstError: true,
    validationError: { target: false, value: false },
    exceptionFactory: (errors) => invalidRequest(errors.flatMap((error) => detailsOf(error, ''))),
  });
}

class RequestPipe extends ValidationPipe {
  override transform(value: unknown, metadata: ArgumentMetadata): Promise<unknown> {
    if (typeof value === 'object' && value !== null && metadata.type !== 'custom') {
      assertDepth(value);
      assertOwnNames(value);
    }
    return super.transform(value, metadata);
  }
}

function assertDepth(value: object): void {
  let level: object[] = [value];
  for (let depth = 1; level.length > 0; depth += 1) {
    if (depth > MAX_DEPTH) {
      throw new InvalidRequestError(`The request is nested deeper than ${MAX_DEPTH} levels.`);
    }
    level = level.flatMap((entry) => Object.values(entry).filter(isObject));
  }
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}

/** Names that every object has count as known to a whitelist, and would be dropped instead of refused. */
function assertOwnNames(value: object): void {
  const details = Object.keys(value)
    .filter((field) => field in Object.prototype)
    .map((field) => ({ field, message: `${field} is not a field of this request` }));
  if (details.length > 0) throw invalidRequest(details);
}

function invalidRequest(details: readonly ErrorDetail[]): InvalidRequestError {
  return new InvalidRequestError(`${details.map(({ message }) => message).join('; ')}.`, details);
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
