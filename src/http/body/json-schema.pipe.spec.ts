import { describe, expect, it } from '@jest/globals';
import { InvalidRequestError } from '../../common/errors.js';
import { SchemaPipe } from './json-schema.pipe.js';

const pipe = new SchemaPipe({
  type: 'object',
  required: ['name'],
  properties: {
    name: { type: 'string', pattern: '^[a-z]+$' },
    kind: { enum: ['a', 'b'] },
    content: {
      anyOf: [
        { type: ['string', 'null'] },
        {
          type: 'array',
          minItems: 1,
          items: { type: 'object', required: ['type'], properties: { type: { type: 'string' } } },
        },
      ],
    },
  },
});

describe('SchemaPipe', () => {
  it('returns a valid body unchanged', () => {
    const body = { name: 'x', content: [{ type: 't' }], unknown: { a: 1 } };
    expect(pipe.transform(body)).toBe(body);
  });

  it.each([
    [undefined, '', 'The request body must be object.'],
    [[], '', 'The request body must be object.'],
    [{}, 'name', 'name is missing.'],
    [{ name: 7 }, 'name', 'name must be string.'],
    [{ name: 'X' }, 'name', 'name contains characters that are not allowed.'],
    [{ name: 'x', kind: 'c' }, 'kind', 'kind must be one of a, b.'],
    [{ name: 'x', content: 7 }, 'content', 'content must be string or null or array.'],
    [{ name: 'x', content: [] }, 'content', 'content must NOT have fewer than 1 items.'],
    [{ name: 'x', content: [{}] }, 'content.0.type', 'content.0.type is missing.'],
    [{ name: 'x', content: [7] }, 'content.0', 'content.0 must be object.'],
  ])('rejects %j with the field %j and the message %j', (body, field, message) => {
    let thrown: unknown;
    try {
      pipe.transform(body);
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toBeInstanceOf(InvalidRequestError);
    expect(thrown).toMatchObject({ message, details: [{ field }] });
  });
});
