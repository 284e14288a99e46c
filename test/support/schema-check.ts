/** The supported parts of an OpenAPI 3.0 schema. */
interface Schema {
  readonly $ref?: string;
  readonly allOf?: readonly Schema[];
  readonly type?: string;
  readonly nullable?: boolean;
  readonly enum?: readonly unknown[];
  readonly format?: string;
  readonly required?: readonly string[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly items?: Schema;
  /** True if an object may have other properties. */
  readonly additionalProperties?: unknown;
}

const KNOWN_WORDS = new Set(
  (
    '$ref allOf type nullable enum format required properties additionalProperties items description example default ' +
    'minimum maximum minLength maxLength minItems maxItems'
  ).split(' '),
);

const FORMATS: Readonly<Record<string, RegExp>> = {
  uuid: /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/,
  date: /^\d{4}-\d\d-\d\d$/,
  'date-time': /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/,
  email: /^[^@\s]+@[^@\s]+$/,
};

/**
 * Describes each mismatch between a value and a schema of an OpenAPI 3.0 document in a sentence. Stricter
 * than JSON Schema: properties that the schema does not name are rejected, and so are schemas with
 * unsupported keywords.
 *
 * @param document the document in which `$ref` is resolved
 */
export function misfits(document: unknown, schema: unknown, value: unknown, path = '$'): string[] {
  const given = asSchema(schema, path);
  if (value === null && given.nullable === true) return [];
  if (given.$ref !== undefined) return misfits(document, lookUp(document, given.$ref), value, path);
  if (given.allOf !== undefined) return given.allOf.flatMap((part) => misfits(document, part, value, path));
  if (given.enum !== undefined && !given.enum.includes(value))
    return [`${path} is ${JSON.stringify(value)}, none of ${given.enum.join(', ')}`];
  if (!hasType(value, given.type))
    return [`${path} is ${JSON.stringify(value)} and not ${String(given.type)}`];
  if (Array.isArray(value)) {
    const items = given.items;
    return value.flatMap((entry, index) => misfits(document, items, entry, `${path}[${String(index)}]`));
  }
  if (typeof value === 'object' && value !== null) return misfitsOfObject(document, given, value, path);
  const format = typeof value === 'string' ? FORMATS[given.format ?? ''] : undefined;
  return format?.test(String(value)) === false ? [`${path} is no ${String(given.format)}`] : [];
}

function misfitsOfObject(document: unknown, schema: Schema, value: object, path: string): string[] {
  const properties = schema.properties ?? {};
  const missing = (schema.required ?? []).filter((name) => !Object.hasOwn(value, name));
  return [
    ...missing.map((name) => `${path}.${name} is missing`),
    ...Object.entries(value).flatMap(([name, entry]) =>
      Object.hasOwn(properties, name)
        ? misfits(document, properties[name], entry, `${path}.${name}`)
        : schema.additionalProperties === true
          ? []
          : [`${path}.${name} is not documented`],
    ),
  ];
}

function hasType(value: unknown, type: string | undefined): boolean {
  switch (type) {
    case 'integer':
      return Number.isSafeInteger(value);
    case 'number':
      return Number.isFinite(value);
    case 'array':
      return Array.isArray(value);
    case 'object':
      return typeof value === 'object' && value !== null && !Array.isArray(value);
    default:
      return typeof value === type;
  }
}

function asSchema(value: unknown, path: string): Schema {
  if (typeof value !== 'object' || value === null) throw new Error(`There is no schema for ${path}.`);
  const strange = Object.keys(value).filter((word) => !KNOWN_WORDS.has(word));
  if (strange.length > 0) throw new Error(`The schema of ${path} uses ${strange.join(', ')}.`);
  return value;
}

function lookUp(document: unknown, reference: string): unknown {
  let found = document;
  for (const key of reference.replace(/^#\//, '').split('/')) {
    found = typeof found === 'object' && found !== null ? (Reflect.get(found, key) as unknown) : undefined;
  }
  if (found === undefined) throw new Error(`${reference} leads nowhere.`);
  return found;
}
