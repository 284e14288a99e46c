import fc from 'fast-check';
import { readSchema, type Schema } from './schema.js';

/** Depth below which values contain required properties and items only. */
const MAX_DEPTH = 3;

/** Maximum length of generated texts if the schema has no limit. */
const LONG = 2000;

/** Generates values that match a schema of the document. */
export function valuesOf(document: unknown, schema: Schema, depth = 0): fc.Arbitrary<unknown> {
  const values = kindOf(document, schema, depth);
  return schema.nullable === true ? fc.option(values) : values;
}

/** Returns the properties of an object schema, resolved. */
export function propertiesOf(document: unknown, schema: Schema): [string, Schema][] {
  return Object.entries(schema.properties ?? {}).map(([name, value]) => [name, readSchema(document, value)]);
}

function kindOf(document: unknown, schema: Schema, depth: number): fc.Arbitrary<unknown> {
  if (schema.enum !== undefined) return fc.constantFrom(...schema.enum);
  const choices = schema.anyOf ?? schema.oneOf;
  if (choices !== undefined)
    return fc.oneof(...choices.map((choice) => valuesOf(document, readSchema(document, choice), depth)));
  switch (schema.type) {
    case undefined:
      return fc.oneof(fc.string(), fc.jsonValue({ maxDepth: 2 }));
    case 'boolean':
      return fc.boolean();
    case 'integer':
      return integers(schema);
    case 'number':
      return fc.oneof(integers(schema), fc.double({ ...boundsOf(schema), noNaN: true }));
    case 'string':
      return strings(schema);
    case 'array':
      return arrays(document, schema, depth);
    case 'object':
      return objects(document, schema, depth);
    default:
      throw new Error(`The run makes no values of type ${schema.type}.`);
  }
}

function boundsOf({ minimum, maximum }: Schema): { min: number; max: number } {
  return { min: minimum ?? -Number.MAX_VALUE, max: maximum ?? Number.MAX_VALUE };
}

function integers({ minimum, maximum }: Schema): fc.Arbitrary<number> {
  const min = Math.ceil(minimum ?? Number.MIN_SAFE_INTEGER);
  const max = Math.floor(maximum ?? Number.MAX_SAFE_INTEGER);
  // The library itself biases the values towards the ends and zero.
  return fc.integer({ min, max });
}

function strings({ format, pattern, minLength = 0, maxLength = LONG }: Schema): fc.Arbitrary<string> {
  if (pattern !== undefined) return fc.stringMatching(new RegExp(pattern));
  switch (format) {
    case undefined:
    case 'password':
      return fc.oneof(
        { weight: 3, arbitrary: fc.string({ minLength, maxLength, unit: 'grapheme-ascii', size: 'small' }) },
        // Every code point, including NUL, which a schema does not exclude.
        { weight: 1, arbitrary: fc.string({ minLength, maxLength, unit: 'binary', size: 'medium' }) },
        {
          weight: 1,
          arbitrary: fc.constantFrom(minLength, maxLength).map((length) => 'é '.repeat(length / 2)),
        },
      );
    case 'email':
      return fc.emailAddress().filter((address) => address.length <= maxLength);
    case 'uuid':
      return fc.uuid();
    case 'date':
      return days().map((day) => day.toISOString().slice(0, 10));
    case 'date-time':
      return dateTimes();
    default:
      throw new Error(`The run makes no texts of format ${format}.`);
  }
}

/** Generates days from the year 0000 to 9999, the range of RFC 3339. */
function days(): fc.Arbitrary<Date> {
  const min = new Date('0000-01-01T00:00:00Z');
  const max = new Date('9999-12-31T23:59:59Z');
  return fc.oneof(
    fc.date({ min, max, noInvalidDate: true }),
    fc.date({ min: new Date('2026-01-01'), max: new Date('2030-12-31'), noInvalidDate: true }),
  );
}

/** Generates every form that RFC 3339 allows: fractions of any length, offsets, lower-case letters. */
function dateTimes(): fc.Arbitrary<string> {
  const fractions = fc.option(fc.stringMatching(/^\.\d{1,12}$/), { nil: '' });
  const zones = fc.constantFrom('Z', 'Z', 'Z', 'z', '+00:00', '-23:59', '+14:00');
  return fc
    .tuple(days(), fc.constantFrom('T', 'T', 't'), fractions, zones)
    .map(([day, separator, fraction, zone]) => {
      const [date = '', time = ''] = day.toISOString().split('T');
      return `${date}${separator}${time.slice(0, 8)}${fraction}${zone}`;
    });
}

function arrays(document: unknown, schema: Schema, depth: number): fc.Arbitrary<unknown> {
  const { minItems = 0, maxItems = minItems + 3 } = schema;
  const items = valuesOf(document, readSchema(document, schema.items ?? {}), depth + 1);
  return fc.array(items, { minLength: minItems, maxLength: depth < MAX_DEPTH ? maxItems : minItems });
}

function objects(document: unknown, schema: Schema, depth: number): fc.Arbitrary<unknown> {
  const required = schema.required ?? [];
  const properties = propertiesOf(document, schema).filter(
    ([name]) => depth < MAX_DEPTH || required.includes(name),
  );
  const model = Object.fromEntries(
    properties.map(([name, property]) => [name, valuesOf(document, property, depth + 1)]),
  );
  return fc.record(model, { requiredKeys: required.filter((name) => name in model), noNullPrototype: true });
}
