import { InvalidRequestError } from '../../../common/errors.js';
import { toStorableText } from '../../../common/stored-text.js';
import { isJsonObject, isMetadataScalar, MAX_METADATA_KEY_LENGTH, type MetadataScalar } from './metadata.js';

/** Bounds of a filter: nested `and` and `or`, conditions in total, values of a list, characters of a text. */
export const FILTER_BOUNDS = { depth: 5, conditions: 100, values: 100, characters: 1_000 } as const;

const COMPARISONS = ['eq', 'ne', 'gt', 'gte', 'lt', 'lte'] as const;
const MEMBERSHIPS = ['in', 'nin'] as const;
const OPERATORS = [...COMPARISONS, ...MEMBERSHIPS].join(', ');

/** Comparison of a field with a value. */
export type ComparisonOperator = (typeof COMPARISONS)[number];

/** Comparison of a field with a list of values. */
export type MembershipOperator = (typeof MEMBERSHIPS)[number];

/**
 * A condition on the metadata of documents. Values are equal only to values of their own type. A list in the metadata
 * equals each text that it contains. `ne` and `nin` match whatever `eq` and `in` do not, so also documents without the
 * field. The order of texts is that of their code points, which is right for dates like `2024-05-01`.
 */
export type MetadataFilter =
  | { readonly kind: 'and' | 'or'; readonly filters: readonly MetadataFilter[] }
  | {
      readonly kind: 'comparison';
      readonly field: string;
      readonly operator: ComparisonOperator;
      readonly value: MetadataScalar;
    }
  | {
      readonly kind: 'membership';
      readonly field: string;
      readonly operator: MembershipOperator;
      readonly values: readonly MetadataScalar[];
    };

/**
 * Reads a filter as callers write it: `{"lang": "en", "year": {"gte": 2020, "lt": 2024}}`, where all conditions must
 * hold; `{"and": [filter, …]}` and `{"or": [filter, …]}`; `{"status": {"in": ["draft", "final"]}}`. An empty object matches
 * all documents.
 * @param path name of the field of the request, for errors
 * @throws InvalidRequestError
 */
export function parseMetadataFilter(value: unknown, path = 'filter'): MetadataFilter {
  return new FilterParser().parse(value, path, 1);
}

class FilterParser {
  private conditions = 0;

  parse(value: unknown, path: string, depth: number): MetadataFilter {
    if (!isJsonObject(value)) throw invalid(path, 'It must be an object.');
    if (depth > FILTER_BOUNDS.depth)
      throw invalid(path, `Filters may be nested to a depth of ${FILTER_BOUNDS.depth}.`);
    const filters = Object.entries(value).flatMap(([key, entry]) =>
      key === 'and' || key === 'or'
        ? [this.parseGroup(key, entry, `${path}.${key}`, depth)]
        : this.parseField(key, entry, `${path}.${key}`),
    );
    const [only] = filters;
    return filters.length === 1 && only !== undefined ? only : { kind: 'and', filters };
  }

  private parseGroup(kind: 'and' | 'or', value: unknown, path: string, depth: number): MetadataFilter {
    if (!Array.isArray(value) || value.length === 0)
      throw invalid(path, 'It must be a list with at least one filter.');
    this.count(value.length, path);
    const filters = value.map((entry: unknown, index) => this.parse(entry, `${path}.${index}`, depth + 1));
    return { kind, filters };
  }

  /** Parses a value, or an object with operators. */
  private parseField(key: string, value: unknown, path: string): MetadataFilter[] {
    if (key.length > MAX_METADATA_KEY_LENGTH)
      throw invalid(path, `A name must have at most ${MAX_METADATA_KEY_LENGTH} characters.`);
    const field = toStorableText(key);
    if (!isJsonObject(value)) return [this.parseComparison(field, 'eq', value, path)];
    const operators = Object.entries(value);
    if (operators.length === 0) throw invalid(path, `It must have an operator: ${OPERATORS}.`);
    return operators.map(([operator, operand]) => {
      const operandPath = `${path}.${operator}`;
      const comparison = COMPARISONS.find((name) => name === operator);
      if (comparison !== undefined) return this.parseComparison(field, comparison, operand, operandPath);
      const membership = MEMBERSHIPS.find((name) => name === operator);
      if (membership !== undefined) return this.parseMembership(field, membership, operand, operandPath);
      throw invalid(operandPath, `There is no such operator. Use one of ${OPERATORS}.`);
    });
  }

  private parseComparison(
    field: string,
    operator: ComparisonOperator,
    operand: unknown,
    path: string,
  ): MetadataFilter {
    this.count(1, path);
    const value = parseValue(operand, path);
    if (typeof value === 'boolean' && operator !== 'eq' && operator !== 'ne')
      throw invalid(path, 'It must be a string or a number.');
    return { kind: 'comparison', field, operator, value };
  }

  private parseMembership(
    field: string,
    operator: MembershipOperator,
    operand: unknown,
    path: string,
  ): MetadataFilter {
    this.count(1, path);
    if (!Array.isArray(operand) || operand.length === 0 || operand.length > FILTER_BOUNDS.values)
      throw invalid(path, `It must be a list of 1 to ${FILTER_BOUNDS.values} values.`);
    const values = operand.map((entry: unknown, index) => parseValue(entry, `${path}.${index}`));
    return { kind: 'membership', field, operator, values };
  }

  private count(conditions: number, path: string): void {
    this.conditions += conditions;
    if (this.conditions > FILTER_BOUNDS.conditions)
      throw invalid(path, `A filter may have ${FILTER_BOUNDS.conditions} conditions in total.`);
  }
}

function parseValue(value: unknown, path: string): MetadataScalar {
  if (!isMetadataScalar(value)) throw invalid(path, 'It must be a string, a number or a boolean.');
  if (typeof value !== 'string') return value;
  if (value.length > FILTER_BOUNDS.characters)
    throw invalid(path, `It must have at most ${FILTER_BOUNDS.characters} characters.`);
  return toStorableText(value);
}

function invalid(field: string, message: string): InvalidRequestError {
  return new InvalidRequestError('The filter is invalid.', [{ field, message }]);
}
