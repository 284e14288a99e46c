import { gzipSync } from 'node:zlib';
import { hostileForms } from './forms.js';
import type { Operation } from './operations.js';
import type { FuzzRequest } from './raw-request.js';

/** A change to a request that no client makes by mistake. */
export interface Attack {
  readonly label: string;
  readonly alter: (request: FuzzRequest) => FuzzRequest;
  /** The expected statuses; by default a success or any well-formed error. */
  readonly statuses?: readonly number[];
  /** True if the changed path may lead to another route. */
  readonly astray?: boolean;
}

const DEEP = 100_000;

/** Returns attacks by the body of a route. */
export function hostileBodies(operation: Operation): Attack[] {
  if (operation.fileField !== undefined) return hostileForms();
  if (operation.body === undefined) return bodiesThatNobodyReads();
  const texts = [...textAttacks(), ...(operation.compatible ? [] : strictTextAttacks())];
  return [...texts, ...misshapen(), ...uncarriable(), ...typeAttacks(operation)];
}

/** Returns bodies that cost more to check than to send, or change the prototype of an object. */
function misshapen(): Attack[] {
  return [
    refused('a deep list', (text) => added(text, 'deep', nested('[', '', ']'))),
    refused('a deep object', (text) => added(text, 'deep', nested('{"a":', '1', '}'))),
    refused('a deep value of a field', (text) => inField(text, nested('[', '', ']'))),
    refused('__proto__', (text) => added(text, '__proto__', '{"admin":true}')),
    refused('__proto__ by its code points', (text) => added(text, '\\u005f_proto__', '{"admin":true}')),
    refused('__proto__ in a field', (text) => inField(text, '{"__proto__":{"admin":true}}')),
  ];
}

/** Returns bodies with content that can be neither stored nor forwarded. */
function uncarriable(): Attack[] {
  return [
    refused('NUL', (text) => inText(text, '"a\\u0000b"')),
    refused('half a surrogate pair', (text) => inText(text, '"a\\ud800b"')),
    refused('the other half', (text) => inText(text, '"\\udfff"')),
    refused('__proto__ within', (text) => added(text, 'color', '{"__proto__":{"admin":true}}')),
  ];
}

/** Returns malformed JSON, and more data than any client needs. */
function textAttacks(): Attack[] {
  return [
    { ...ofText('a raw NUL', (text) => inText(text, '"a\0b"')), statuses: [400] },
    { ...ofText('a raw line break', (text) => inText(text, '"a\nb"')), statuses: [400] },
    { ...ofText('a body that is deep', () => nested('[', '', ']')), statuses: [400] },
    { ...ofText('half a body', (text) => text.slice(0, -1)), statuses: [400] },
    { ...ofText('two bodies', (text) => text + text), statuses: [400] },
    { ...ofText('an empty list', () => '[]'), statuses: [400] },
    { ...ofText('a list of it', (text) => `[${text}]`), statuses: [400] },
    { ...ofText('NaN', (text) => added(text, 'number', 'NaN')), statuses: [400] },
    { ...ofText('Infinity', (text) => added(text, 'number', '-Infinity')), statuses: [400] },
    { ...ofText('a byte order mark twice', (text) => `\ufeff\ufeff${text}`), statuses: [400] },
    {
      ...ofText('more than any route takes', (text) => added(text, 'x', `"${'x'.repeat(2_200_000)}"`)),
      statuses: [413],
    },
    ofText('a body of white space', () => ' \n\t '),
    ofText('an empty body', () => ''),
    ofText('keys twice', (text) =>
      `${text.slice(0, -1)},${text.slice(1)}`.replace('{,', '{').replace(',}', '}'),
    ),
    ofBytes('invalid UTF-8', (bytes) =>
      Buffer.concat([bytes.subarray(0, -2), Buffer.from([0xff, 0xc0, 0xaf, 0x22, 0x7d])]),
    ),
    ofBytes('surrogates in UTF-8', (bytes) =>
      Buffer.from(bytes.toString('latin1').replace(/(:")/, '$1\xed\xa0\x80'), 'latin1'),
    ),
    ofText('a number beyond numbers', (text) => inField(text, '1e999')),
    ofText('a number of 64 bits', (text) => inField(text, '18446744073709551616')),
    ofText('minus nothing', (text) => inField(text, '-0')),
    ofText('a list of lists', (text) => inField(text, '[[[[1]]]]')),
    ofText('templates', (text) => inText(text, '"{{7*7}}${7*7}<%= 7*7 %>\' OR 1=1; --"')),
  ];
}

/** Returns bodies that are accepted only by routes that accept unknown fields. */
function strictTextAttacks(): Attack[] {
  return [
    refused('80,000 fields', (text) => added(text, 'wide', wide(80_000))),
    refused('80,000 fields of the body', () => wide(80_000)),
    refused('a field constructor', (text) => added(text, 'constructor', '{"prototype":{"admin":true}}')),
    refused('a field prototype', (text) => added(text, 'prototype', '{"admin":true}')),
    refused('a field toString', (text) => added(text, 'toString', '1')),
    refused('a field without a name', (text) => added(text, '', '1')),
  ];
}

function typeAttacks({ apiFormat, compatible, takesForm }: Operation): Attack[] {
  // Ollama parses every body as JSON, regardless of its content type.
  const unsupported = apiFormat === 'ollama' ? {} : { statuses: [415] };
  const types = ['text/plain', 'application/x-www-form-urlencoded', ',;=', 'json'];
  const charsets = ['utf-16', 'latin1', '"utf-7"'];
  return [
    ...types.map((type) => ({
      ...ofHeaders(`content type ${type}`, { 'content-type': type }),
      ...unsupported,
    })),
    {
      ...ofHeaders('JSON as a form', { 'content-type': 'multipart/form-data; boundary=x' }),
      // Where forms are taken, this is a malformed one.
      ...(takesForm ? { statuses: [400] } : unsupported),
    },
    ...charsets.map((charset) =>
      ofHeaders(`charset ${charset}`, { 'content-type': `application/json; charset=${charset}` }),
    ),
    { ...ofHeaders('an unknown encoding', { 'content-encoding': 'rot13' }), statuses: [415] },
    ...['gzip', 'deflate', 'br'].map((encoding) => ({
      ...ofHeaders(`no ${encoding}`, { 'content-encoding': encoding }),
      statuses: [400],
    })),
    { ...packed('half a gzip', (bytes) => gzipSync(bytes).subarray(0, 20)), statuses: [400] },
    { ...packed('a bomb', () => BOMB), statuses: [413] },
    packed('a gzip in a gzip', (bytes) => gzipSync(gzipSync(bytes))),
    ...(compatible
      ? []
      : [{ ...ofText('a form', () => 'email=a%40example.com&password=x'), statuses: [400] }]),
  ];
}

/** Returns bodies for a route without one, which must ignore them. */
function bodiesThatNobodyReads(): Attack[] {
  return [
    ofText('a body', () => '{"id":1}'),
    ofText('a deep body', () => nested('{"a":', '1', '}')),
    ofText('a body that is no JSON', () => '{"id":'),
    ofText('__proto__', () => '{"__proto__":{"admin":true}}'),
    ofText('more than any route takes', () => `{"x":"${'x'.repeat(2_200_000)}"}`),
    ofHeaders('a content type without a body', { 'content-type': 'text/plain' }),
    packed('a bomb', () => BOMB),
  ];
}

/** Twenty megabytes in as many kilobytes. */
const BOMB = gzipSync(`{"x":"${'x'.repeat(20_000_000)}"}`);

function nested(open: string, middle: string, close: string): string {
  return open.repeat(DEEP) + middle + close.repeat(DEEP);
}

function wide(fields: number): string {
  return JSON.stringify(Object.fromEntries(Array.from({ length: fields }, (_, index) => [`k${index}`, 1])));
}

/** Returns a JSON object with another field in first place. */
function added(text: string, name: string, value: string): string {
  return `{"${name}":${value}${text === '{}' ? '' : ','}${text.slice(1)}`;
}

/** Returns a JSON object with another value for its first field. */
function inField(text: string, value: string): string {
  const [first] = Object.entries(JSON.parse(text) as Record<string, unknown>);
  if (first === undefined) return added(text, 'x', value);
  const [name, old] = first;
  // A replacement function leaves `$` in the value unchanged.
  return text.replace(
    `${JSON.stringify(name)}:${JSON.stringify(old)}`,
    () => `${JSON.stringify(name)}:${value}`,
  );
}

/** Returns a JSON object with another value for its last string: for a chat, the message. */
function inText(text: string, value: string): string {
  const [, old] = /.*:("(?:[^"\\]|\\.)*")/s.exec(text) ?? [];
  if (old === undefined) return added(text, 'x', value);
  const end = text.lastIndexOf(old);
  return text.slice(0, end) + value + text.slice(end + old.length);
}

function refused(label: string, change: (text: string) => string): Attack {
  return { ...ofText(label, change), statuses: [400] };
}

function ofText(label: string, change: (text: string) => string): Attack {
  return ofBytes(label, (bytes) => Buffer.from(change(bytes.toString('utf8'))));
}

function ofBytes(label: string, change: (bytes: Buffer) => Buffer): Attack {
  return {
    label,
    alter: (request) => ({
      ...request,
      headers: { 'content-type': 'application/json', ...request.headers },
      body: change(request.body ?? Buffer.from('{}')),
    }),
  };
}

function ofHeaders(label: string, headers: Readonly<Record<string, string>>): Attack {
  return { label, alter: (request) => ({ ...request, headers: { ...request.headers, ...headers } }) };
}

function packed(label: string, change: (bytes: Buffer) => Buffer): Attack {
  const { alter } = ofBytes(label, change);
  return {
    label,
    alter: (request) => {
      const altered = alter(request);
      return { ...altered, headers: { ...altered.headers, 'content-encoding': 'gzip' } };
    },
  };
}
