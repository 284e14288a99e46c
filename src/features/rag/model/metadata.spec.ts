import { describe, expect, it } from '@jest/globals';
import { InvalidRequestError } from '../../../common/errors.js';
import { parseMetadata } from './metadata.js';

function errorOf(value: unknown): string {
  try {
    parseMetadata(value);
  } catch (error) {
    if (error instanceof InvalidRequestError)
      return error.details.map(({ field, message }) => `${field}: ${message}`).join();
    throw error;
  }
  return 'accepted';
}

describe('the metadata of a document', () => {
  it('are texts, numbers, booleans and lists of texts', () => {
    const metadata = { lang: 'en', year: 2024.5, draft: false, tags: ['a', 'b'], none: [] };
    expect(parseMetadata(metadata)).toEqual(metadata);
    expect(parseMetadata({})).toEqual({});
  });

  it('have no text that PostgreSQL cannot store', () => {
    expect(parseMetadata({ 'a\0': 'b\0', c: ['\uD800'] })).toEqual({ a: 'b', c: ['\uFFFD'] });
  });

  it('keep names that objects have by themselves', () => {
    const metadata = parseMetadata(JSON.parse('{"__proto__": "a", "constructor": "b"}'));
    expect(JSON.stringify(metadata)).toBe('{"__proto__":"a","constructor":"b"}');
  });

  it.each([
    [null, 'metadata: It must be an object.'],
    [['a'], 'metadata: It must be an object.'],
    [{ a: null }, 'metadata.a: It must be a string, a number, a boolean or a list of strings.'],
    [{ a: { b: 1 } }, 'metadata.a: It must be a string, a number, a boolean or a list of strings.'],
    [{ a: [1] }, 'metadata.a: It must be a string, a number, a boolean or a list of strings.'],
    [{ a: Number.NaN }, 'metadata.a: It must be a string, a number, a boolean or a list of strings.'],
    [{ '': 1 }, 'metadata.: A name must have 1 to 64 characters.'],
    [{ ['k'.repeat(65)]: 1 }, `metadata.${'k'.repeat(65)}: A name must have 1 to 64 characters.`],
    [{ a: 'x'.repeat(16_384) }, 'metadata: It must be at most 16 KB as JSON.'],
    [{ a: 'x'.repeat(16_376) }, 'accepted'],
  ])('are checked', (value, message) => {
    expect(errorOf(value)).toBe(message);
  });
});
