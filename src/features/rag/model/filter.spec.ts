import { describe, expect, it } from '@jest/globals';
import { InvalidRequestError } from '../../../common/errors.js';
import { parseMetadataFilter } from './filter.js';

/** Returns the field and the message of the error. */
function errorOf(value: unknown): string {
  try {
    parseMetadataFilter(value);
  } catch (error) {
    if (error instanceof InvalidRequestError)
      return error.details.map(({ field, message }) => `${field}: ${message}`).join();
    throw error;
  }
  return 'accepted';
}

function nest(depth: number): object {
  return depth === 1 ? { a: 1 } : { and: [nest(depth - 1)] };
}

describe('a filter by metadata', () => {
  it('compares fields with values, all of which must match', () => {
    expect(parseMetadataFilter({ lang: 'en' })).toEqual({
      kind: 'comparison',
      field: 'lang',
      operator: 'eq',
      value: 'en',
    });
    expect(parseMetadataFilter({ year: { gte: 2020, lt: 2024 }, draft: false })).toEqual({
      kind: 'and',
      filters: [
        { kind: 'comparison', field: 'year', operator: 'gte', value: 2020 },
        { kind: 'comparison', field: 'year', operator: 'lt', value: 2024 },
        { kind: 'comparison', field: 'draft', operator: 'eq', value: false },
      ],
    });
    expect(parseMetadataFilter({})).toEqual({ kind: 'and', filters: [] });
  });

  it('has lists of values and nested filters', () => {
    expect(parseMetadataFilter({ or: [{ tag: { in: ['a', 1] } }, { and: [{ b: { ne: true } }] }] })).toEqual({
      kind: 'or',
      filters: [
        { kind: 'membership', field: 'tag', operator: 'in', values: ['a', 1] },
        { kind: 'and', filters: [{ kind: 'comparison', field: 'b', operator: 'ne', value: true }] },
      ],
    });
  });

  it('has no text that PostgreSQL cannot read', () => {
    expect(parseMetadataFilter({ 'a\0': { in: ['\0b', '\uD800'] } })).toEqual({
      kind: 'membership',
      field: 'a',
      operator: 'in',
      values: ['b', '\uFFFD'],
    });
  });

  it.each([
    [null, 'filter: It must be an object.'],
    [[{ a: 1 }], 'filter: It must be an object.'],
    [{ a: null }, 'filter.a: It must be a string, a number or a boolean.'],
    [{ a: [1] }, 'filter.a: It must be a string, a number or a boolean.'],
    [{ a: Number.POSITIVE_INFINITY }, 'filter.a: It must be a string, a number or a boolean.'],
    [{ a: {} }, 'filter.a: It must have an operator: eq, ne, gt, gte, lt, lte, in, nin.'],
    [
      { a: { constructor: 1 } },
      'filter.a.constructor: There is no such operator. Use one of eq, ne, gt, gte, lt, lte, in, nin.',
    ],
    [{ a: { gt: true } }, 'filter.a.gt: It must be a string or a number.'],
    [{ a: { in: 'b' } }, 'filter.a.in: It must be a list of 1 to 100 values.'],
    [{ a: { in: [] } }, 'filter.a.in: It must be a list of 1 to 100 values.'],
    [{ a: { nin: Array(101).fill(1) } }, 'filter.a.nin: It must be a list of 1 to 100 values.'],
    [{ a: { in: [{}] } }, 'filter.a.in.0: It must be a string, a number or a boolean.'],
    [{ a: 'x'.repeat(1_001) }, 'filter.a: It must have at most 1000 characters.'],
    [{ ['k'.repeat(65)]: 1 }, `filter.${'k'.repeat(65)}: A name must have at most 64 characters.`],
    [{ and: {} }, 'filter.and: It must be a list with at least one filter.'],
    [{ or: [] }, 'filter.or: It must be a list with at least one filter.'],
    [{ or: [1] }, 'filter.or.0: It must be an object.'],
    [nest(5), 'accepted'],
    [nest(6), 'filter.and.0.and.0.and.0.and.0.and.0: Filters may be nested to a depth of 5.'],
    [{ or: Array(51).fill({ a: 1 }) }, 'filter.or.49.a: A filter may have 100 conditions in total.'],
  ])('is checked: %j', (value, message) => {
    expect(errorOf(value)).toBe(message);
  });
});
