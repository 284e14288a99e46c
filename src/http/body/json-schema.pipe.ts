import type { PipeTransform } from '@nestjs/common';
import { Ajv, type ErrorObject, type SchemaObject, type ValidateFunction } from 'ajv';
import { InvalidRequestError } from '../../common/errors.js';

/** One compiler for all schemas; each is compiled once, at startup. */
const ajv = new Ajv({
  strict: true,
  allowUnionTypes: true,
  allErrors: false,
  // Only documents the format; the code that uses a date-time validates it.
  formats: { 'date-time': true },
});

/**
 * Validates a body against a JSON schema. Used for the compatible APIs, whose bodies are large and whose unknown
 * fields pass through: class-validator takes milliseconds for a thousand messages, this takes microseconds.
 */
export class SchemaPipe<Body> implements PipeTransform<unknown, Body> {
  private readonly matches: ValidateFunction<Body>;

  /** @param normalize converts a valid body into the form that its consumers expect */
  constructor(
    schema: SchemaObject,
    private readonly normalize: (body: Body) => Body = (body) => body,
  ) {
    this.matches = ajv.compile<Body>(schema);
  }

  /** @throws InvalidRequestError that names the first invalid field */
  transform(body: unknown): Body {
    if (this.matches(body)) return this.normalize(body);
    const error = nearest(this.matches.errors ?? []);
    if (error === undefined) throw new InvalidRequestError('The request body is not valid.');
    const field = fieldOf(error);
    const message = `${field === '' ? 'The request body' : field} ${sentenceOf(error)}`;
    throw new InvalidRequestError(`${message}.`, [{ field, message }]);
  }
}

/** Keywords whose errors only report that another keyword failed. */
const WRAPPERS: ReadonlySet<string> = new Set(['if', 'anyOf']);

/**
 * Picks the most useful of ajv's errors. `anyOf` yields one for each alternative: an error about something other than
 * the type shows which alternative the client meant. If all are type errors, takes the deepest and lists the allowed
 * types.
 */
function nearest(errors: readonly ErrorObject[]): ErrorObject | undefined {
  const byDepth = errors
    .filter(({ keyword }) => !WRAPPERS.has(keyword))
    .toSorted((one, other) => depthOf(other.instancePath) - depthOf(one.instancePath));
  const meant = byDepth.find(({ keyword }) => keyword !== 'type');
  const [deepest] = byDepth;
  if (meant !== undefined || deepest === undefined) return meant;
  const types = byDepth
    .filter(({ keyword, instancePath }) => keyword === 'type' && instancePath === deepest.instancePath)
    .flatMap(({ params }): unknown => params['type']);
  return { ...deepest, message: `must be ${[...new Set(types)].join(' or ')}` };
}

function depthOf(path: string): number {
  return path.split('/').length;
}

/** Converts `/messages/0/content` to `messages.0.content`, and appends the name of a missing or unknown field. */
function fieldOf({ instancePath, keyword, params }: ErrorObject): string {
  const path = instancePath.split('/').slice(1);
  const named: unknown =
    keyword === 'required'
      ? params['missingProperty']
      : keyword === 'additionalProperties'
        ? params['additionalProperty']
        : undefined;
  return [...path, ...(typeof named === 'string' ? [named] : [])].join('.');
}

function sentenceOf({ keyword, message = 'is not valid', params }: ErrorObject): string {
  if (keyword === 'required') return 'is missing';
  if (keyword === 'additionalProperties') return 'is not a field of this request';
  const allowed: unknown = keyword === 'enum' ? params['allowedValues'] : undefined;
  if (keyword === 'pattern') return 'contains characters that are not allowed';
  return Array.isArray(allowed) ? `must be one of ${allowed.join(', ')}` : message;
}
