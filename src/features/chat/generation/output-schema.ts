import { Ajv2020 } from 'ajv/dist/2020.js';
import { str } from 'ajv';
import { InvalidRequestError } from '../../../common/errors.js';

/** Maximum length of a schema, in characters of its JSON: compiling one of this length takes about 100 ms. */
const MAX_SCHEMA_LENGTH = 16_384;

/** Maximum cost of checking one answer, measured by `COST`: a few hundred milliseconds in the worst case. */
const MAX_COST = 250_000;

/**
 * Maximum average number of times that a schema is compiled, and the number of compilations that are always allowed: a
 * schema with references to its inner schemas is compiled once for each of them.
 */
const MAX_COMPILATIONS = { average: 2, always: 200 };

/** Number of characters of a schema or of an answer that cost as much as one step. */
const TEXT_PER_STEP = 8;

/** Request field that contains the schema. */
const FIELD = 'response_format.json_schema.schema';

/** Keyword that is added to every schema and subtracts the cost of checking a value against it from the budget. */
const COST = 'x-cost';

const MULTIPLE_OF = 'multipleOf';

/** Keywords that are not checked, because neither the schema nor the answer bounds the time that they take. */
const UNCHECKED: ReadonlySet<string> = new Set([
  'pattern',
  'patternProperties',
  'uniqueItems',
  '$dynamicRef',
]);

/**
 * Keywords that may reject a value because it matches a schema: with a part of that schema unchecked they would
 * reject too much.
 */
const NEGATING: ReadonlySet<string> = new Set([
  ...['not', 'if', 'then', 'else', 'contains', 'minContains', 'maxContains'],
  ...['additionalProperties', 'unevaluatedProperties', 'unevaluatedItems'],
]);

/** Shapes of the values of all checked keywords. Any other keyword does not constrain a value. */
const SHAPES: ReadonlyMap<string, 'schema' | 'schemas' | 'named' | 'plain'> = new Map([
  ...['items', 'additionalProperties', 'propertyNames', 'unevaluatedItems', 'unevaluatedProperties'].map(
    schemaIn,
  ),
  ...['not', 'if', 'then', 'else', 'contains'].map(schemaIn),
  ...['allOf', 'anyOf', 'oneOf', 'prefixItems'].map((name) => [name, 'schemas'] as const),
  ...['properties', '$defs', 'definitions', 'dependentSchemas'].map((name) => [name, 'named'] as const),
  ...['$ref', '$id', '$anchor', 'type', 'enum', 'const', 'required', 'dependentRequired', 'multipleOf'].map(
    plain,
  ),
  ...['minimum', 'maximum', 'exclusiveMinimum', 'exclusiveMaximum', 'minLength', 'maxLength'].map(plain),
  ...['minItems', 'maxItems', 'minProperties', 'maxProperties', 'minContains', 'maxContains'].map(plain),
]);

function schemaIn(name: string) {
  return [name, 'schema'] as const;
}

function plain(name: string) {
  return [name, 'plain'] as const;
}

/** Compiled lazily, and only used to validate schemas. */
const DIALECT = new Ajv2020({ strict: false, validateFormats: false, logger: false });

/** Returns the reason why a value does not match, or undefined if it does. */
export type OutputSchema = (value: unknown) => string | undefined;

/**
 * Compiles a schema that a caller sent (JSON Schema 2020-12, with internal references only). Checks are bounded by a
 * budget of steps rather than by time, so that the same answer always gets the same result. Keywords that could
 * exceed any bound, such as `pattern`, are left to the model's provider; a schema with one is checked more loosely
 * here, never more strictly.
 * @throws InvalidRequestError if the schema is too long or is not a valid schema
 */
export function compileOutputSchema(schema: object): OutputSchema {
  if (JSON.stringify(schema).length > MAX_SCHEMA_LENGTH)
    throw refused(`must be at most ${MAX_SCHEMA_LENGTH.toLocaleString('en')} characters of JSON`);
  const { $schema: _draft, ...given } = { $schema: undefined, ...schema };
  if (DIALECT.validateSchema(given) !== true) throw refused('must be a JSON schema (draft 2020-12)');
  const budget = { left: 0, compilations: MAX_COMPILATIONS.always };
  const validate = compile(boundedObject(given, hasUnchecked(given), budget), budget);
  return (value) => {
    budget.left = MAX_COST;
    try {
      if (validate(value)) return undefined;
      const [error] = validate.errors ?? [];
      return `it does not match the schema: ${error?.instancePath ?? ''} ${error?.message ?? ''}`;
    } catch (error) {
      // A deeply nested answer can exhaust the stack as well as the budget.
      if (error instanceof TooExpensiveError || error instanceof RangeError)
        return 'validating it against the schema takes too many steps';
      throw error;
    }
  };
}

interface Budget {
  /** Number of steps left for the current check. */
  left: number;
  /** Number of schemas that may still be compiled. */
  compilations: number;
}

/** Thrown when a check has used up its budget. */
class TooExpensiveError extends Error {}

function compile(schema: object, budget: Budget) {
  const ajv = new Ajv2020({
    // The schema was validated before, and our own keyword is not part of the dialect.
    ...{ meta: false, validateSchema: false, strict: false, logger: false },
    // Otherwise every object has the property `constructor`.
    ownProperties: true,
    // A reference to the root is found among the used schemas. Each schema has an instance of its own, so that no
    // schema can refer to one of another caller.
    ...{ validateFormats: false, inlineRefs: false, addUsedSchema: true },
    // Optimizing takes eight times as long as everything else, for code that is used once.
    code: { optimize: false },
  });
  // One function for each cost: Ajv takes quadratic time with one for each schema.
  const costChecks = new Map<number, (value: unknown) => boolean>();
  ajv.addKeyword({
    keyword: COST,
    errors: false,
    compile: (cost: number) => {
      budget.compilations -= 1;
      if (budget.compilations < 0) throw refused('has too many references to nested schemas');
      const known = costChecks.get(cost);
      if (known !== undefined) return known;
      const take = (value: unknown): boolean => {
        budget.left -= cost + sizeOf(value);
        if (budget.left < 0) throw new TooExpensiveError();
        return true;
      };
      costChecks.set(cost, take);
      return take;
    },
  });
  // Ajv's own check fails for decimal fractions: 0.07 / 0.01 is 7.000000000000001.
  ajv.removeKeyword(MULTIPLE_OF);
  ajv.addKeyword({
    ...{ keyword: MULTIPLE_OF, type: 'number', schemaType: 'number' },
    validate: (factor: number, value: number) => isMultiple(value, factor),
    error: { message: ({ schemaCode }) => str`must be multiple of ${schemaCode}` },
  });
  try {
    return ajv.compile(schema);
  } catch (error) {
    if (error instanceof InvalidRequestError) throw error;
    throw refused('cannot be compiled: references must point to parts of the schema itself');
  }
}

function bounded(schema: unknown, loosely: boolean, budget: Budget): unknown {
  return isObject(schema) ? boundedObject(schema, loosely, budget) : schema;
}

/** Returns the schema reduced to the checked keywords, with their cost added. */
function boundedObject(schema: object, loosely: boolean, budget: Budget): object {
  budget.compilations += MAX_COMPILATIONS.average;
  const copy: Record<string, unknown> = {};
  let cost = 1;
  for (const [name, value] of Object.entries(schema)) {
    const shape = SHAPES.get(name);
    if (shape === undefined || (loosely && NEGATING.has(name))) continue;
    if (name === 'enum' && Array.isArray(value) && value.length === 0) {
      // Nothing matches it. Ajv does not compile it, although the standard allows it.
      copy['allOf'] = [...listOf(copy['allOf']), false];
    } else if (shape === 'plain') {
      copy[name] = value;
      cost += Math.ceil(JSON.stringify(value).length / TEXT_PER_STEP);
    } else if (shape === 'schema') {
      copy[name] = bounded(value, loosely, budget);
    } else if (shape === 'schemas' && Array.isArray(value)) {
      const schemas = value.map((one: unknown) => bounded(one, loosely, budget));
      cost += schemas.length;
      // If several match loosely, it may still be that exactly one matches strictly.
      if (loosely && name === 'oneOf') copy['allOf'] = [...listOf(copy['allOf']), { anyOf: schemas }];
      else copy[name] = name === 'allOf' ? [...listOf(copy[name]), ...schemas] : schemas;
    } else if (isObject(value)) {
      const schemas = Object.entries(value).map(([key, one]: [string, unknown]) => [
        key,
        bounded(one, loosely, budget),
      ]);
      cost += schemas.length;
      copy[name] = Object.fromEntries(schemas);
    }
  }
  return { ...copy, [COST]: cost };
}

/** Returns true if an unchecked keyword occurs anywhere in a schema; a property with such a name counts too. */
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

/** Returns the amount of a value that the keywords of one schema may inspect. */
function sizeOf(value: unknown): number {
  if (typeof value === 'string') return value.length / TEXT_PER_STEP;
  if (Array.isArray(value)) return value.length;
  return isObject(value) ? Object.keys(value).length : 0;
}

/**
 * Returns true if a value is a multiple of a factor, within the rounding error of a division of two numbers that were
 * rounded themselves when their decimals were read.
 */
function isMultiple(value: number, factor: number): boolean {
  const quotient = value / factor;
  if (!Number.isFinite(quotient)) return true;
  return Math.abs(quotient - Math.round(quotient)) <= 2 * Number.EPSILON * Math.abs(quotient);
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
