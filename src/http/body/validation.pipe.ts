import { type ArgumentMetadata, ValidationPipe, type ValidationError } from '@nestjs/common';
import { type ErrorDetail, InvalidRequestError } from '../../common/errors.js';
import { MAX_FIELDS, tooManyFieldsError } from './json-limits.js';

/**
 * Maximum number of invalid fields named in one error: the response to a body full of them must not be ten times its
 * size.
 */
const MAX_DETAILS = 20;

/** Maximum nesting depth of a body: the validation libraries are recursive. */
const MAX_DEPTH = 64;

/** Names that `ValidationPipe` deletes from every object. */
const DELETED_NAMES = ['__proto__', 'constructor', 'prototype'];

/** Validates bodies and queries against their DTO. Rejects fields that the DTO does not define, by name. */
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

/**
 * Validates values as the body of a route, for bodies that are not JSON.
 * @throws InvalidRequestError
 */
export async function validateBody<Body extends object>(
  metatype: new () => Body,
  value: unknown,
): Promise<Body> {
  const body: unknown = await validationPipe().transform(value ?? {}, { type: 'body', metatype });
  if (body instanceof metatype) return body;
  throw new InvalidRequestError('The request body is not a valid JSON object.');
}

class RequestPipe extends ValidationPipe {
  override transform(value: unknown, metadata: ArgumentMetadata): Promise<unknown> {
    if (isObject(value) && metadata.type !== 'custom') {
      // A path parameter that may contain slashes is an array of its segments.
      if (Array.isArray(value) && metadata.type === 'body')
        throw new InvalidRequestError('The request body is not a valid JSON object.');
      // Bodies without a DTO are those of other vendors' APIs, which are checked by schemas and keep all names.
      const isDto = this.toValidate(metadata);
      let depth = 0;
      for (const level of readLevels(value)) {
        depth += 1;
        if (isDto) assertKeptNames(value, level, depth);
      }
      assertOwnNames(value);
    }
    return super.transform(value, metadata);
  }
}

/**
 * Yields the objects in a body, level by level. Rejects a body that would cost the validation libraries far more than it
 * cost to send.
 */
function* readLevels(body: object): Generator<readonly object[]> {
  let level: object[] = [body];
  for (let depth = 1; level.length > 0; depth += 1) {
    if (depth > MAX_DEPTH) {
      throw new InvalidRequestError(`The request is nested deeper than ${MAX_DEPTH} levels.`);
    }
    const next: object[] = [];
    for (const entry of level) {
      const values: unknown[] = Array.isArray(entry) ? entry : Object.values(entry);
      if (values.length > MAX_FIELDS && !Array.isArray(entry)) {
        throw tooManyFieldsError();
      }
      for (const value of values) if (isObject(value)) next.push(value);
    }
    yield next;
    level = next;
  }
}

/**
 * Rejects names that `ValidationPipe` deletes at any depth: a filter without a condition would find more than it should.
 * @param entries the objects of a level of the body
 * @param depth depth of the level
 */
function assertKeptNames(body: object, entries: readonly object[], depth: number): void {
  for (const entry of entries) {
    const name = DELETED_NAMES.find((each) => Object.hasOwn(entry, each));
    if (name === undefined) continue;
    const message = `${name} is not a possible name of a field; use another one`;
    throw invalidRequest([{ field: [...(pathTo(entry, body, depth) ?? []), name].join('.'), message }]);
  }
}

/** Returns the names that lead to an object, if it is at most so many levels below another one. */
function pathTo(wanted: object, from: object, depth: number): string[] | undefined {
  for (const [name, value] of Object.entries(from)) {
    if (value === wanted) return [name];
    const rest = isObject(value) && depth > 1 ? pathTo(wanted, value, depth - 1) : undefined;
    if (rest !== undefined) return [name, ...rest];
  }
  return undefined;
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}

/** Rejects names that every object or class has: the whitelist treats them as known and would drop them silently. */
function assertOwnNames(value: object): void {
  const details = Object.keys(value)
    .filter((field) => field in Object.prototype || field === 'prototype')
    .map((field) => ({ field, message: `${field} is not a field of this request` }));
  if (details.length > 0) throw invalidRequest(details);
}

function invalidRequest(problems: readonly ErrorDetail[]): InvalidRequestError {
  const details = problems.slice(0, MAX_DETAILS);
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

/** Replaces the library's message about a property that should not exist with one that names the unknown field. */
function plain(message: string, property: string): string {
  return message === `property ${property} should not exist`
    ? `${property} is not a field of this request`
    : message;
}
