import { describe, expect, it } from '@jest/globals';
import { IsPlainObject } from './text.validators.js';
import { validateBody } from './validation.pipe.js';

const WITH_PROTOTYPE: unknown = JSON.parse('{"in":{"__proto__":1}}');

class TestBody {
  @IsPlainObject()
  data!: object;
}

describe('an object of any fields', () => {
  it('keeps names that every object has, at any depth', async () => {
    const text = '{"data":{"toString":"a","in":[{"valueOf":"b","hasOwnProperty":{"d":[1]}}]}}';
    const body = await validateBody(TestBody, JSON.parse(text));
    expect(JSON.stringify(body)).toBe(text);
  });

  it.each([
    ['a list', []],
    ['a text', 'text'],
    ['a text with NUL', { in: ['\0'] }],
    ['a name with a lone surrogate', { '\ud800': 1 }],
  ])('is refused if it is or has %s', async (_what, data) => {
    await expect(validateBody(TestBody, { data })).rejects.toMatchObject({ code: 'invalid_request' });
  });

  it.each<[path: string, data: unknown]>([
    ['data.constructor', { constructor: null }],
    ['data.in.1.constructor', { in: [{ a: 1 }, { constructor: 1 }] }],
    ['data.a.b.prototype', { other: [{ a: {} }], a: { b: { prototype: {} } } }],
    ['data.in.__proto__', WITH_PROTOTYPE],
  ])('is refused if it has the name %s, which would be dropped', async (field, data) => {
    await expect(validateBody(TestBody, { data })).rejects.toMatchObject({
      code: 'invalid_request',
      details: [{ field }],
    });
  });
});
