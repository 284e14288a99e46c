import type { SchemaObject } from './model-route-errors.js';

/** Larger limits are described in prose: generators of examples would produce values of that size. */
const MAX_DOCUMENTED_LIMIT = 1000;

/** Returns a schema that validates bodies as it is shown in the documentation. */
export function toDocumentedSchema({
  properties,
  items,
  maxLength = 0,
  maxItems = 0,
  ...schema
}: SchemaObject): SchemaObject {
  const largest = Math.max(maxLength, maxItems);
  const bound = `At most ${largest.toLocaleString('en')} ${maxLength > 0 ? 'characters' : 'entries'}.`;
  const bounds = { ...(maxLength > 0 && { maxLength }), ...(maxItems > 0 && { maxItems }) };
  return {
    ...schema,
    ...(largest > MAX_DOCUMENTED_LIMIT
      ? { description: `${schema.description ?? ''} ${bound}`.trim() }
      : bounds),
    ...(items !== undefined && { items: '$ref' in items ? items : toDocumentedSchema(items) }),
    ...(properties !== undefined && {
      properties: Object.fromEntries(
        Object.entries(properties).map(([name, property]) => [
          name,
          '$ref' in property ? property : toDocumentedSchema(property),
        ]),
      ),
    }),
  };
}
