import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { ENDLESS_WORK_MS, processorMsSince } from '../../../../test/support/endless-work.js';
import { InvalidRequestError } from '../../../common/errors.js';
import { compileOutputSchema } from './output-schema.js';

const city = { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] };

/** Contains itself, by a reference to the root. */
const tree = { properties: { children: { type: 'array', items: { $ref: '#' } } }, type: 'object' };

describe('compileOutputSchema', () => {
  it.each<[object, unknown, boolean]>([
    [city, { city: 'Oslo' }, true],
    [city, { city: 7 }, false],
    [city, {}, false],
    [{ ...city, additionalProperties: false }, { city: 'Oslo', more: 1 }, false],
    [{ $schema: 'http://json-schema.org/draft-07/schema#', ...city }, { city: 'Oslo' }, true],
    [{ $async: true, ...city }, { city: 7 }, false],
    [{ type: 'array', items: { enum: ['a', 'b'] } }, ['a', 'c'], false],
    [{ oneOf: [{ type: 'number' }, { type: 'integer' }] }, 1, false],
    [{ not: { type: 'string' } }, 'x', false],
    [
      { $defs: { n: { properties: { next: { $ref: '#/$defs/n' } }, required: ['v'] } }, $ref: '#/$defs/n' },
      { v: 1, next: {} },
      false,
    ],
    [
      { $defs: { n: { properties: { next: { $ref: '#/$defs/n' } }, required: ['v'] } }, $ref: '#/$defs/n' },
      { v: 1, next: { v: 2 } },
      true,
    ],
    [
      { properties: { properties: { type: 'string' }, 'x-cost': { type: 'string' } } },
      { properties: 7 },
      false,
    ],
    [{ properties: { 'x-cost': { type: 'string' } } }, { 'x-cost': 7 }, false],
    [tree, { children: [{ children: [] }] }, true],
    [tree, { children: [{ children: [7] }] }, false],
    [{ $id: 'https://example.com/tree', ...tree, items: { $ref: 'tree' } }, { children: [7] }, false],
    [{ $id: 'tree', $defs: { n: { type: 'number' } }, items: { $ref: 'tree#/$defs/n' } }, ['x'], false],
    [{ $defs: { n: { $id: 'number', type: 'number' } }, items: { $ref: 'number' } }, ['x'], false],
    [{ $defs: { n: { $anchor: 'n', type: 'number' } }, items: { $ref: '#n' } }, ['x'], false],
    [{ $defs: { n: { $anchor: 'n', type: 'number' } }, items: { $ref: '#n' } }, [1], true],
    [{ anyOf: [{ enum: [] }, { type: 'number' }] }, 1, true],
    [{ anyOf: [{ enum: [] }, { type: 'number' }] }, 'x', false],
    [{ enum: [], allOf: [{ type: 'number' }] }, 1, false],
    [{ multipleOf: 0.01 }, 0.07, true],
    [{ multipleOf: 0.01 }, -1_234_567.89, true],
    [{ multipleOf: 0.01 }, 0.075, false],
    [{ multipleOf: 0.01 }, 'x', true],
    [{ multipleOf: 1 }, 1.000_000_000_1, false],
    [{ multipleOf: 3 }, 0, true],
    [{ multipleOf: 3 }, 10, false],
    [{ required: ['constructor'] }, {}, false],
    [{ required: ['constructor'] }, { constructor: 1 }, true],
    [{ properties: { toString: { type: 'string' } } }, {}, true],
    [{ type: 'string', format: 'date' }, 'no date', true],
    [{ minimum: 2, maximum: 3 }, 4, false],
  ])('checks %j: %j', (schema, value, fits) => {
    expect(compileOutputSchema(schema)(value) === undefined).toBe(fits);
  });

  it('does not let a schema refer to another caller’s', () => {
    compileOutputSchema({ $id: 'https://example.com/secret', $anchor: 'secret', type: 'object' });
    for (const $ref of ['https://example.com/secret', '#secret'])
      expect(() => compileOutputSchema({ $ref })).toThrow(InvalidRequestError);
    // Neither does it take the name from others.
    const check = compileOutputSchema({
      $id: 'https://example.com/secret',
      items: { $ref: '#' },
      type: 'array',
    });
    expect(check([[]])).toBeUndefined();
    expect(check([{}])).toBeDefined();
  });

  it('refuses in time a schema with references to hundreds of its nested schemas', () => {
    let nested: object = {};
    for (let level = 0; level < 200; level += 1) {
      nested = { $anchor: `a${level}`, allOf: [{}, {}, {}, {}, {}, {}, nested] };
    }
    const anyOf = Array.from({ length: 200 }, (_, level) => ({ $ref: `#a${level}` }));
    const before = process.cpuUsage();
    expect(() => compileOutputSchema({ $defs: { nested }, anyOf })).toThrow('too many references');
    expect(processorMsSince(before)).toBeLessThan(ENDLESS_WORK_MS);
  });

  it('names the position and the reason of a mismatch', () => {
    expect(compileOutputSchema(city)({ city: 7 })).toBe('it does not match the schema: /city must be string');
    expect(compileOutputSchema({ multipleOf: 0.01 })(0.075)).toMatch(/ must be multiple of 0\.01$/);
    expect(compileOutputSchema({ not: {} })(1)).toMatch(/^it does not match the schema: {2}must NOT/);
  });

  it.each<[object, unknown]>([
    [{ type: 'string', pattern: '^(a+)+$' }, 'b'],
    [{ not: { pattern: '^a' } }, 'b'],
    [{ oneOf: [{ pattern: '^a' }, { pattern: '^b' }] }, 'b'],
    [{ patternProperties: { '^x-': {} }, additionalProperties: false }, { 'x-a': 1 }],
    [{ if: { pattern: '^a' }, then: false }, 'b'],
    [{ contains: { pattern: '^a' }, maxContains: 1 }, ['a', 'b']],
    [{ allOf: [{ type: 'string' }], oneOf: [{ pattern: 'a' }, { type: 'number' }] }, 'a'],
  ])('never rejects a matching value because of a keyword that it does not check: %j %j', (schema, value) => {
    expect(compileOutputSchema(schema)(value)).toBeUndefined();
  });

  it('still checks the rest of a schema with an unchecked keyword', () => {
    const schema = {
      allOf: [{ type: 'string' }],
      oneOf: [{ type: 'number' }, { pattern: 'a', minLength: 3 }],
    };
    expect(compileOutputSchema(schema)('ab')).toBeDefined();
    expect(compileOutputSchema(schema)(7)).toBeDefined();
  });

  it.each<[string, object]>([
    ['a keyword with a value of the wrong type', { type: 'object', required: 'city' }],
    ['an unknown type', { type: 'city' }],
    ['a reference to another document', { $ref: 'https://example.com/city.json' }],
    ['a dangling reference', { $ref: '#/$defs/city' }],
    ['a schema that is too long', { description: 'x'.repeat(40_000) }],
  ])('rejects %s and names the field', (_what, schema) => {
    let thrown: unknown;
    try {
      compileOutputSchema(schema);
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toBeInstanceOf(InvalidRequestError);
    expect(thrown).toMatchObject({ param: 'response_format.json_schema.schema' });
  });

  const nested = (depth: number): unknown => {
    let value: unknown = {};
    for (let level = 0; level < depth; level += 1) value = { x: value };
    return value;
  };
  const twice = { $ref: '#/$defs/a' };
  it.each<[string, object, unknown]>([
    [
      'doubles with every level',
      {
        $defs: { a: { properties: { x: { anyOf: [{ allOf: [twice, { type: 'string' }] }, twice] } } } },
        ...twice,
      },
      nested(60),
    ],
    [
      'checks a long text again and again',
      { allOf: Array.from({ length: 900 }, () => ({ minLength: 1 })) },
      'x'.repeat(1_000_000),
    ],
    [
      'compares every entry with thousands of values',
      { items: { enum: Array.from({ length: 3_000 }, (_, index) => index) } },
      Array.from({ length: 200_000 }, () => -1).fill(2_999),
    ],
    [
      'is checked against a value that is too deep for the stack',
      { $defs: { a: { properties: { x: twice } } }, ...twice },
      nested(100_000),
    ],
  ])('stays within its budget if a schema %s', (_what, schema, value) => {
    const check = compileOutputSchema(schema);
    // Of this process, which others of a busy machine do not slow down.
    const before = process.cpuUsage();
    expect(check(value)).toBe('validating it against the schema takes too many steps');
    expect(processorMsSince(before)).toBeLessThan(ENDLESS_WORK_MS);
    expect(check('x') === undefined || typeof check('x') === 'string').toBe(true);
  });

  it('accepts a long answer within its budget', () => {
    const cities = Array.from({ length: 10_000 }, (_, index) => ({ city: `City ${index}` }));
    expect(compileOutputSchema({ type: 'array', items: city })(cities)).toBeUndefined();
  });

  it('either rejects an arbitrary schema as the caller’s mistake or checks with it', () => {
    const keyword = fc.constantFrom(
      'type',
      'properties',
      'items',
      'anyOf',
      'not',
      '$ref',
      'enum',
      'required',
      '$defs',
      'pattern',
      'x-cost',
      '$async',
      '$id',
      '$anchor',
    );
    const { tree } = fc.letrec((tie) => ({
      tree: fc.oneof(
        { maxDepth: 4 },
        fc.jsonValue({ maxDepth: 1 }),
        fc.dictionary(keyword, tie('tree'), { maxKeys: 3 }),
      ),
    }));
    fc.assert(
      fc.property(fc.dictionary(keyword, tree, { maxKeys: 3 }), fc.jsonValue(), (schema, value) => {
        try {
          const problem = compileOutputSchema(schema)(value);
          expect(['undefined', 'string']).toContain(typeof problem);
        } catch (error) {
          expect(error).toBeInstanceOf(InvalidRequestError);
        }
      }),
    );
  });
});
