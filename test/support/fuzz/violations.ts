import fc from 'fast-check';
import { readSchema, type Schema } from './schema.js';
import { propertiesOf, valuesOf } from './values.js';

/** A violation of a schema. */
export interface Violation {
  /** `is too long`. */
  readonly what: string;
  /** The whole value with this violation in it. */
  readonly values: fc.Arbitrary<unknown>;
}

/** A violation in one field of an object. */
export interface FieldViolation extends Violation {
  /** The field; its value is undefined if it is missing. */
  readonly field: string;
}

/** Formats that a server can be expected to check, with texts that clearly violate them. */
const MISFORMED: Readonly<Record<string, readonly string[]>> = {
  email: ['ada', '@', 'ada@', '@example.com', 'ada@example.com extra'],
  uuid: ['abc', '0199a3f0-5b7e-7cc3-9d3a-2f6f1c0e9a1', '0199a3f0-5b7e-7cc3-9d3a-2f6f1c0e9a11x', '0'],
  date: [
    'yesterday',
    '2026-13-01',
    '2026-02-30',
    '01/02/2026',
    '2026-1-1',
    '20260101',
    '2026-W01-1',
    '2026-001',
  ],
  'date-time': [
    ...['yesterday', '0', '2999', '2999-01', '2999-01-01', '29990101', '2999-W01', '2999-001'],
    ...['2026-13-01T00:00:00Z', '2026-02-30T00:00:00Z', '2026-01-01T25:00:00Z', '29990101T000000Z'],
    ...['2999-W01-1T00:00:00Z', '2999-001T00:00:00Z', '2999-01-01T00', '2999-01-01T00:00:00,5Z'],
    // Without an offset the time is ambiguous.
    '2999-01-01T00:00:00',
  ],
};

/** Values of each JSON type. */
const OF_TYPES: Readonly<Record<string, fc.Arbitrary<unknown>>> = {
  string: fc.constantFrom('', 'x', '1', 'true', 'null'),
  number: fc.oneof(fc.integer(), fc.double({ noNaN: true, noDefaultInfinity: true })),
  boolean: fc.boolean(),
  array: fc.array(fc.jsonValue({ maxDepth: 1 }), { maxLength: 3 }),
  object: fc.dictionary(fc.stringMatching(/^[a-z]{1,8}$/), fc.jsonValue({ maxDepth: 1 }), { maxKeys: 3 }),
};

/** Returns every possible violation in the fields of an object, one at a time. */
export function fieldViolationsOf(document: unknown, schema: Schema, strict: boolean): FieldViolation[] {
  const required = schema.required ?? [];
  const found = propertiesOf(document, schema).flatMap(([field, property]) => {
    const needed = required.includes(field);
    return [
      ...(needed ? [{ field, what: 'is missing', values: fc.constant(undefined) }] : []),
      // Null counts as missing if that is allowed.
      ...(needed && property.nullable !== true
        ? [{ field, what: 'is null', values: fc.constant(null) }]
        : []),
      ...violationsOf(document, property, strict).map((one) => ({ ...one, field })),
    ];
  });
  const unknown = { field: 'color', what: 'is no field', values: fc.jsonValue({ maxDepth: 1 }) };
  return strict && schema.additionalProperties !== true ? [...found, unknown] : found;
}

/** Returns every possible violation in the text of a path or query parameter. */
export function textViolationsOf(schema: Schema): Violation[] {
  if (schema.type !== 'integer' && schema.type !== 'number') return boundViolations(schema);
  const words = fc.constantFrom('abc', 'NaN', 'null', 'true', '[]', '{}', '1,5', '1 2', '٣');
  return [
    { what: 'is no number', values: words },
    ...boundViolations(schema).map((one) => ({ ...one, values: one.values.map(String) })),
  ];
}

function violationsOf(document: unknown, schema: Schema, strict: boolean): Violation[] {
  const { type } = schema;
  if (type === undefined) return [];
  const ofType = typeViolations(type);
  if (type === 'object') return [...ofType, ...ofObject(document, schema, strict)];
  if (type === 'array') return [...ofType, ...ofArray(document, schema, strict)];
  return [...ofType, ...boundViolations(schema)];
}

function typeViolations(type: string): Violation[] {
  const others = Object.entries(OF_TYPES).filter(
    ([name]) => name !== type && !(name === 'number' && type === 'integer'),
  );
  const fractions = fc.integer({ min: -1000, max: 1000 }).map((whole) => whole + 0.5);
  return [
    { what: `is no ${type}`, values: fc.oneof(...others.map(([, values]) => values)) },
    ...(type === 'integer' ? [{ what: 'is a fraction', values: fractions }] : []),
  ];
}

function boundViolations(schema: Schema): Violation[] {
  const { minimum, maximum, minLength = 0, maxLength, format = '', pattern, enum: words } = schema;
  const misformed = MISFORMED[format];
  const found: Violation[] = [];
  const add = (what: string, values: fc.Arbitrary<unknown>) => found.push({ what, values });
  // Large enough to change even the largest numbers.
  const beyond = fc.oneof(fc.integer({ min: 2, max: 1000 }), fc.constant(2 ** 60));
  if (minimum !== undefined)
    add(
      'is too small',
      beyond.map((by) => minimum - by),
    );
  if (maximum !== undefined)
    add(
      'is too large',
      beyond.map((by) => maximum + by),
    );
  if (minLength > 0) add('is too short', fc.string({ maxLength: minLength - 1, unit: 'grapheme-ascii' }));
  if (maxLength !== undefined) {
    const lengths = fc.oneof(
      fc.constant(maxLength + 1),
      fc.integer({ min: maxLength + 1, max: Math.max(10_000, maxLength + 1) }),
    );
    const end = format === 'email' ? '@example.com' : '';
    add(
      'is too long',
      lengths.map((length) => 'x'.repeat(length) + end),
    );
  }
  if (misformed !== undefined) add(`is no ${format}`, fc.constantFrom(...misformed));
  // Values that headers can contain as well.
  if (pattern !== undefined) add('does not match', fc.constantFrom('é', 'a b', '"\t"'));
  if (words !== undefined)
    add(
      'is no word that is known',
      fc.string().filter((text) => !words.includes(text)),
    );
  return found;
}

/** Maximum length of a list as JSON, in characters: well below the megabyte of a body. */
const MAX_LIST_LENGTH = 500_000;

function ofArray(document: unknown, schema: Schema, strict: boolean): Violation[] {
  const { minItems = 0, maxItems } = schema;
  const item = readSchema(document, schema.items ?? {});
  // Together smaller than a JSON body may be, or the body would be what is refused.
  const isSmall = (value: unknown, count: number): boolean =>
    JSON.stringify(value).length * count < MAX_LIST_LENGTH;
  const tooMany = (length: number) =>
    fc.array(
      valuesOf(document, item, 1).filter((value) => isSmall(value, length + 3)),
      { minLength: length, maxLength: length + 3 },
    );
  return [
    ...(minItems > 0 ? [{ what: 'is empty', values: fc.constant([]) }] : []),
    ...(maxItems === undefined ? [] : [{ what: 'has too many items', values: tooMany(maxItems + 1) }]),
    ...violationsOf(document, item, strict).map(({ what, values }) => ({
      what: `0 ${what}`,
      values: values.map((value) => [value]),
    })),
  ];
}

function ofObject(document: unknown, schema: Schema, strict: boolean): Violation[] {
  const required = (schema.required ?? []).map((name) => [name, schema.properties?.[name]] as const);
  const whole = valuesOf(document, { ...schema, properties: Object.fromEntries(required) }, 1);
  return fieldViolationsOf(document, schema, strict).map(({ field, what, values }) => ({
    what: `${field} ${what}`,
    values: fc.tuple(whole, values).map(([good, wrong]) => ({ ...Object(good), [field]: wrong }) as object),
  }));
}
