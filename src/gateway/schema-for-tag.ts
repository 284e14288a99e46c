import type { SchemaObject } from 'ajv';

/** Schemas of fields, by name. */
type Fields = Readonly<Record<string, SchemaObject>>;

/**
 * Requires fields of objects that have a certain tag, such as a `role`. Objects with another tag pass, and so
 * do all other fields. Uses a condition instead of `anyOf`, whose errors concern every alternative instead of
 * the wrong field.
 */
export function schemaForTag(
  tag: string,
  value: string,
  required: Fields,
  optional: Fields = {},
): SchemaObject {
  return {
    if: { type: 'object', required: [tag], properties: { [tag]: { const: value } } },
    then: { type: 'object', required: Object.keys(required), properties: { ...required, ...optional } },
  };
}

/** Requires fields of objects that have a certain `type`. */
export function schemaForType(type: string, required: Fields, optional: Fields = {}): SchemaObject {
  return schemaForTag('type', type, required, optional);
}

/**
 * Describes a list of objects that have a `type`.
 * @param variants requirements of certain types
 */
export function listOfTyped(variants: readonly SchemaObject[]): {
  readonly items: SchemaObject;
} {
  return {
    items: {
      type: 'object',
      required: ['type'],
      properties: { type: { type: 'string' } },
      ...(variants.length > 0 && { allOf: [...variants] }),
    },
  };
}
