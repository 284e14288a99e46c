import { Ajv2020 } from 'ajv/dist/2020.js';
import { InvalidRequestError } from '../../../common/errors.js';

/** Longest schema that is taken, in characters of its JSON: compiling this much takes some 100 ms. */
const MAX_SCHEMA_LENGTH = 16_384;

/** Most that checking one answer may cost, measured by `COST`: some hundred milliseconds in the worst case. */
const MAX_COST = 250_000;

/** Text of a schema, or of an answer, that costs as much as one step. */
const TEXT_PER_STEP = 8;

/** The field that a schema comes in. */
const FIELD = 'response_format.json_schema.schema';

/** The keyword that is put into every schema and takes from the budget what checking a value against it costs. */
const COST = 'x-cost';

/** Keywords that take a time which neither the schema nor the answer bounds: they are not checked. */
const UNCHECKED: ReadonlySet<string> = new Set([
  'pattern',
  'patternProperties',
  'uniqueItems',
  '$dynamicRef',
]);

/** Keywords that may refuse a value because it fits a schema: with a part of it unchecked they would refuse too much. */
const NEGATING: ReadonlySet<string> = new Set([
  ...['not', 'if', 'then', 'else', 'contains', 'minContains', 'maxContains'],
  ...['additionalProperties', 'unevaluatedProperties', 'unevaluatedItems'],
]);

/** The shapes of the values of all keywords that are checked. What is none of them says nothing about a value. */
const SHAPES: ReadonlyMap<string, 'schema' | 'schemas' | 'named' | 'plain'> = new Map([
  ...['items', 'additionalProperties', 'propertyNames', 'unevaluatedItems', 'unevaluatedProperties'].map(
    schemaIn,
  ),
  ...['not', 'if', 'then', 'else', 'contains'].map(schemaIn),
  ...['allOf', 'anyOf', 'oneOf', 'prefixItems'].map((name) => [name, 'schemas'] as const),
  ...['properties', '$defs', 'definitions', 'dependentSchemas'].map((name) => [name, 'named'] as const),
  ...['$ref', 'type', 'enum', 'const', 'required', 'dependentRequired', 'multipleOf'].map(plain),
  ...['minimum', 'maximum', 'exclusiveMinimum', 'exclusiveMaximum', 'minLength', 'maxLength'].map(plain),
  ...['minItems', 'maxItems', 'minProperties', 'maxProperties', 'minContains', 'maxContains'].map(plain),
]);

function schemaIn(name: string) {
  return [name, 'schema'] as const;
}

function plain(name: string) {
  return [name, 'plain'] as const;
}

/** Compiled lazily, and only to tell whether a schema is one. */
const dialect = new Ajv2020({ strict: false, validateFormats: false, logger: false });

/** Says what is wrong with a value, or nothing if it fits. */
export type OutputSchema = (value: unknown) => string | undefined;

/**
 * Compiles a schema that a caller sent (JSON Schema 2020-12, references within it only). Checking is bounded by a budget
 * of steps and not by time, so that the same answer always ends the same way. What could exceed any bound, such as
 * `pattern`, is left to the model's provider; a schema with it is checked more loosely here, never more strictly.
 * @throws InvalidRequestError if the schema is too long, or none
 */
export function compileOutputSchema(schema: object): OutputSchema {
  if (JSON.stringify(schema).length > MAX_SCHEMA_LENGTH)
    throw refused(`must be at most ${MAX_SCHEMA_LENGTH.toLocaleString('en')} characters of JSON`);
  const { $schema: _draft, ...given } = { $schema: undefined, ...schema };
  if (dialect.validateSchema(given) !== true) throw refused('must be a JSON schema (draft 2020-12)');
  const budget = { left: 0 };
  const validate = compile(boundedObject(given, hasUnchecked(given)), budget);
  return (value) => {
    budget.left = MAX_COST;
    try {
      if (validate(value)) return undefined;
      const [error] = validate.errors ?? [];
      return `it does not match the schema: ${error?.instancePath ?? ''} ${error?.message ?? ''}`;
    } catch (error) {
      // Besides the budget, the stack is what a deeply nested answer can use up.
      if (error instanceof TooExpensiveError || error instanceof RangeError)
        return 'validating it against the schema takes too many steps';
      throw error;
    }
  };
}

/** Thrown out of a check whose budget is used up. */
class TooExpensiveError extends Error {}

function compile(schema: object, budget: { left: number }) {
  const ajv = new Ajv2020({
    // The schema was checked before, and ours is not of the dialect.
    ...{ meta: false, validateSchema: false, strict: false, logger: false },
    ...{ validateFormats: false, inlineRefs: false, addUsedSchema: false },
    // Optimizing takes eight times as long as all else, for code that is used once.
    code: { optimize: false },
  });
  ajv.addKeyword({
    keyword: COST,
    errors: false,
    validate: (cost: number, value: unknown) => {
      budget.left -= cost + sizeOf(value);
      if (budget.left < 0) throw new TooExpensiveError();
      return true;
    },
  });
  try {
    return ajv.compile(schema);
  } catch {
    throw refused('cannot be compiled: references must point to parts of the schema itself');
  }
}

function bounded(schema: unknown, loosely: boolean): unknown {
  return isObject(schema) ? boundedObject(schema, loosely) : schema;
}

/** The schema with the keywords that are checked and their cost. */
function boundedObject(schema: object, loosely: boolean): object {
  const copy: Record<string, unknown> = {};
  let cost = 1;
  for (const [name, value] of Object.entries(schema)) {
    const shape = SHAPES.get(name);
    if (shape === undefined || (loosely && NEGATING.has(name))) continue;
    if (shape === 'plain') {
      copy[name] = value;
      cost += Math.ceil(JSON.stringify(value).length / TEXT_PER_STEP);
    } else if (shape === 'schema') {
      copy[name] = bounded(value, loosely);
    } else if (shape === 'schemas' && Array.isArray(value)) {
      const schemas = value.map((one: unknown) => bounded(one, loosely));
      cost += schemas.length;
      // Of several that fit loosely, only one may fit in truth.
      if (loosely && name === 'oneOf') copy['allOf'] = [...listOf(copy['allOf']), { anyOf: schemas }];
      else copy[name] = name === 'allOf' ? [...listOf(copy[name]), ...schemas] : schemas;
    } else if (isObject(value)) {
      const schemas = Object.entries(value).map(([key, one]: [string, unknown]) => [
        key,
        bounded(one, loosely),
      ]);
      cost += schemas.length;
      copy[name] = Object.fromEntries(schemas);
    }
  }
  return { ...copy, [COST]: cost };
}

/** Whether a keyword that is not checked stands anywhere in a schema; a property that is named like one counts too. */
function hasUnchecked(schema: unknown): boolean {
  const waiting: unknown[] = [schema];
  while (waiting.length > 0) {
    const next = waiting.pop();
    if (!isObject(next)) continue;
    for (const [name, value] of Object.entries(next)) {
      if (!Array.isArray(next) && UNCHECKED.has(name)) return true;
      waiting.push(value);
    }
  }
  return false;
}

/** How much of a value the keywords of one schema may look at. */
function sizeOf(value: unknown): number {
  if (typeof value === 'string') return value.length / TEXT_PER_STEP;
  if (Array.isArray(value)) return value.length;
  return isObject(value) ? Object.keys(value).length : 0;
}

function listOf(value: unknown): unknown[] {
  return Array.isArray(value) ? value : [];
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}

function refused(what: string): InvalidRequestError {
  const message = `${FIELD} ${what}`;
  return new InvalidRequestError(`${message}.`, [{ field: FIELD, message }]);
}
