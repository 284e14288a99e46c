import { at } from '../client.js';

/**
 * The parts of an OpenAPI 3.0 schema from which requests are generated. References and `allOf` are resolved
 * on reading.
 */
export interface Schema {
  readonly type?: string;
  readonly nullable?: boolean;
  readonly enum?: readonly unknown[];
  readonly format?: string;
  readonly pattern?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly items?: unknown;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly required?: readonly string[];
  readonly properties?: Readonly<Record<string, unknown>>;
  readonly additionalProperties?: unknown;
  readonly anyOf?: readonly unknown[];
  readonly oneOf?: readonly unknown[];
}

const KNOWN_WORDS = new Set(
  (
    'type nullable enum format pattern minimum maximum minLength maxLength items minItems maxItems maxProperties required properties ' +
    'additionalProperties anyOf oneOf description example default'
  ).split(' '),
);

/**
 * Reads a schema with everything it references. Throws an error for keywords that value generation does not
 * support.
 */
export function readSchema(document: unknown, value: unknown): Schema {
  const reference = at(value, '$ref');
  if (typeof reference === 'string') return readSchema(document, lookUp(document, reference));
  if (typeof value !== 'object' || value === null)
    throw new Error(`This is no schema: ${JSON.stringify(value)}`);
  const { allOf = [], ...own }: Schema & { readonly allOf?: readonly unknown[] } = value;
  const strange = Object.keys(own).filter((word) => !KNOWN_WORDS.has(word));
  if (strange.length > 0)
    throw new Error(`A schema uses ${strange.join(', ')}, which the run does not know.`);
  return allOf.map((part) => readSchema(document, part)).reduce(together, own);
}

function together(one: Schema, other: Schema): Schema {
  return {
    ...one,
    ...other,
    required: [...(one.required ?? []), ...(other.required ?? [])],
    properties: { ...one.properties, ...other.properties },
  };
}

function lookUp(document: unknown, reference: string): unknown {
  return at(document, ...reference.replace(/^#\//, '').split('/'));
}
