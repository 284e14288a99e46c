import type { PipeTransform } from '@nestjs/common';
import { Ajv, type ErrorObject, type SchemaObject, type ValidateFunction } from 'ajv';
import { InvalidRequestError } from '../common/errors.js';

/** One compiler for all schemas; each is compiled once, at the start. */
const ajv = new Ajv({
  strict: true,
  allowUnionTypes: true,
  allErrors: false,
  // For the documentation; whoever reads a time looks at it.
  formats: { 'date-time': true },
});

/**
 * Checks a body against a JSON schema. For the compatible surfaces, whose bodies are large and whose unknown fields
 * pass through: class-validator takes milliseconds for a thousand messages, this microseconds.
 */
export class SchemaPipe<Body> implements PipeTransform<unknown, Body> {
  private readonly matches: ValidateFunction<Body>;

  constructor(schema: SchemaObject) {
    this.matches = ajv.compile<Body>(schema);
  }

  /** @throws InvalidRequestError that names the first wrong field */
  transform(body: unknown): Body {
    if (this.matches(body)) return body;
    const error = nearest(this.matches.errors ?? []);
    if (error === undefined) throw new InvalidRequestError('The request body is not valid.');
    const field = fieldOf(error);
    const message = `${field === '' ? 'The request body' : field} ${sentenceOf(error)}`;
    throw new InvalidRequestError(`${message}.`, [{ field, message }]);
  }
}

/**
 * The error to tell. Where a value may be of several kinds there is one for each: one that is not about the type is of
 * the kind that was meant, and otherwise the deepest is; where none was, the value may be of any of them.
 */
function nearest(errors: readonly ErrorObject[]): ErrorObject | undefined {
  const byDepth = errors.toSorted((one, other) => depthOf(other.instancePath) - depthOf(one.instancePath));
  const meant = byDepth.find(({ keyword }) => keyword !== 'type' && keyword !== 'anyOf');
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

/** `/messages/0/content` as `messages.0.content`; for a missing field, and one that is not known, the field itself. */
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
  if (keyword === 'pattern') return 'holds characters that it may not hold';
  return Array.isArray(allowed) ? `must be one of ${allowed.join(', ')}` : message;
}
