import { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { AppError } from '../../common/errors.js';
import { assertJsonText, parseJsonText } from './json-limits.js';

/** Halves of surrogate pairs, NUL, and characters that may confuse a parser of escapes. */
const codeUnit = fc.constantFrom('\ud83d', '\ude00', '\0', '\\', '"', 'u', 'd', '0', 'é');

const request = new IncomingMessage(new Socket());
const response = new ServerResponse(request);

/** Returns the error message for a text, or undefined if it is accepted. */
function refusal(text: string | Buffer): string | undefined {
  try {
    assertJsonText(request, response, Buffer.from(text), 'utf-8');
    return undefined;
  } catch (error) {
    if (error instanceof AppError) return error.message;
    throw error;
  }
}

const wide = (fields: number): string =>
  `{${Array.from({ length: fields }, (_, index) => `"k${index}":1`).join()}}`;

const escaped = (text: string): string =>
  Array.from(text, (letter) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, '0')}`).join('');

const lists = (depth: number): string => '['.repeat(depth) + ']'.repeat(depth);

describe('assertJsonText rejects a body', () => {
  test.each<[what: string, text: string | Buffer, refusal: RegExp]>([
    ['lists deeper than 128', lists(129), /deeper than 128 levels/],
    ['objects deeper than 128', '{"a":'.repeat(129) + '1' + '}'.repeat(129), /deeper than 128 levels/],
    ['lists that are never closed', '['.repeat(100_000), /deeper than 128 levels/],
    ['a long list', `[${'0,'.repeat(400_001)}0]`, /more than 400,000 values/],
    ['a list of empty lists', `[${'[],'.repeat(250_000)}0]`, /more than 400,000 values/],
    ['an object of many fields', wide(1001), /more than 1000 fields/],
    ['an object of many fields deep within', `{"a":[1,${wide(1001)}]}`, /more than 1000 fields/],
    ['NUL', String.raw`{"a":"x\u0000"}`, /NUL/],
    ['NUL in a name', String.raw`{"\u0000":1}`, /NUL/],
    ['NUL after an escaped backslash', String.raw`["\\\u0000"]`, /NUL/],
    ['a high surrogate alone', String.raw`["\ud83d"]`, /\\ud83d/],
    ['a high surrogate before a text', String.raw`["\ud83dx"]`, /\\ud83d/],
    ['two high surrogates', String.raw`["\ud83d\ud83d\ude00"]`, /\\ud83d/],
    ['a low surrogate alone', String.raw`["\uDE00"]`, /\\uDE00/],
    ['a pair the wrong way round', String.raw`["\ude00\ud83d"]`, /\\ude00/],
    ['a half before an escaped backslash', String.raw`["\ud83d\\ude00"]`, /\\ud83d/],
    ['__proto__', '{"a":[{"__proto__":{}}]}', /__proto__/],
    ['__proto__ by an escape', String.raw`{"\u005f_proto__":1}`, /__proto__/],
    ['__proto__ by another escape', String.raw`{"\u005F_proto__":1}`, /__proto__/],
    ['__proto__ all by escapes', `{"${escaped('__proto__')}":1}`, /__proto__/],
    ['__proto__ before a space and a colon', '{"__proto__" : 1}', /__proto__/],
    ['bytes that are not UTF-8', Buffer.from([0x5b, 0x22, 0xff, 0x22, 0x5d]), /not valid UTF-8/],
    ['a surrogate in UTF-8', Buffer.from([0x5b, 0x22, 0xed, 0xa0, 0x80, 0x22, 0x5d]), /not valid UTF-8/],
  ])('with %s', (_what, text, expected) => {
    expect(refusal(text)).toMatch(expected);
  });
});

test('assertJsonText rejects a body whose declared encoding is not UTF-8', () => {
  for (const encoding of ['utf-16', 'utf-16le', 'utf-32', 'utf-7', ''])
    expect(() => {
      assertJsonText(request, response, Buffer.from('{}'), encoding);
    }).toThrow('Send the request body as JSON in UTF-8');
});

describe('assertJsonText accepts a body', () => {
  test.each([
    ['lists 128 deep', lists(128)],
    ['many lists side by side', `[${'[],'.repeat(150_000)}0]`],
    ['many objects of many fields', `[${Array.from({ length: 300 }, () => wide(1000)).join()}]`],
    ['an object of many fields after another', `{"a":${wide(999)},"b":${wide(1000)}}`],
    ['brackets in a text', JSON.stringify(['['.repeat(1000), '{"'.repeat(1000)])],
    ['a pair of surrogates', String.raw`["\ud83d\ude00", "\uD83D\uDE00"]`],
    ['another escape beside a pair of surrogates', String.raw`["\u00e9\ud83d\ude00"]`],
    ['an escaped backslash before u0000', String.raw`["\\u0000", "\\ud83d"]`],
    ['the name of a prototype in a text', '["__proto__", {"a": "__proto__"}]'],
    ['no text', ''],
    ['invalid JSON, which the parser rejects', '{"a'],
    ['unmatched closing brackets, which the parser rejects', ']}{"a":1}'],
    ['invalid JSON that names a prototype', '{"__proto__'],
  ])('with %s', (_what, text) => {
    expect(refusal(text)).toBeUndefined();
  });

  test('with any JSON without NUL escapes and __proto__', () => {
    fc.assert(
      fc.property(fc.json({ stringUnit: 'grapheme', maxDepth: 20 }), (text) => {
        fc.pre(!text.includes('\\u0000') && !text.includes('__proto__'));
        expect(refusal(text)).toBeUndefined();
      }),
    );
  });

  test('only if its decoded strings are well formed and free of NUL', () => {
    fc.assert(
      fc.property(fc.string({ unit: codeUnit }), (value) => {
        const harmless = value.isWellFormed() && !value.includes('\0');
        expect(refusal(JSON.stringify([value])) === undefined).toBe(harmless);
      }),
    );
  });
});

describe('parseJsonText', () => {
  test('returns the value of a text', () => {
    expect(parseJsonText(Buffer.from('{"é":[1,null]}'))).toEqual({ é: [1, null] });
  });

  test.each<[what: string, text: Buffer, refusal: RegExp]>([
    ['text that is not UTF-8', Buffer.from([0x22, 0xff, 0x22]), /not valid UTF-8/],
    ['text that is not JSON', Buffer.from('{"secret":'), /^The request is not valid JSON\.$/],
    ['what a body must not have', Buffer.from('{"__proto__":1}'), /__proto__/],
    ['NUL', Buffer.from('"\\u0000"'), /NUL/],
  ])('rejects %s', (_what, text, refusal) => {
    expect(() => parseJsonText(text)).toThrow(refusal);
  });
});
