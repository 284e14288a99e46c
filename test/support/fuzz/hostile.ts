import fc from 'fast-check';
import type { Draft } from './draft.js';
import { type Attack, hostileBodies } from './hostile-bodies.js';
import type { Operation } from './operations.js';
import type { FuzzRequest } from './raw-request.js';
import { withQuery } from './wrong.js';

/** Path segments, encoded, that are meant to be misinterpreted. */
const SEGMENTS = [
  '%00',
  '%2e%2e%2f%2e%2e%2fetc%2fpasswd',
  '..%5c..%5cwindows',
  '%',
  '%zz',
  '%ED%A0%80',
  '%C0%AF',
  '%F0%9F%91%8B',
  "1'%20OR%20'1'='1",
  '1;DROP%20TABLE%20users',
  '{{7*7}}',
  '${7*7}',
  '__proto__',
  'constructor',
  'hasOwnProperty',
  'NaN',
  '-1',
  'null',
  '%0d%0aX-Injected:%20yes',
  '%E2%80%AE',
  '[object%20Object]',
  'x'.repeat(8000),
  '00000000-0000-0000-0000-000000000000',
  'ffffffff-ffff-ffff-ffff-ffffffffffff',
];

/** Path segments with which the path may lead to another route. */
const ASTRAY = ['', '..', '.', '../..', '/', '%2f', 'a/b/c', '?', '*'];

const QUERIES = [
  'limit=1&limit=2',
  'limit[]=1',
  'limit[a]=1',
  'limit[__proto__]=1',
  'limit=1e2',
  'limit=0x10',
  'limit=99999999999999999999',
  'limit=%00',
  'after=%00',
  'after=%',
  'after=%ED%A0%80',
  'after=&after=',
  'q=%25%27%5c',
  'q=%00',
  'q=%ED%A0%80',
  'from=0000-01-01',
  'from=9999-12-31&to=0000-01-01',
  '__proto__=1',
  'constructor[prototype][a]=1',
  '=',
  '&&&',
  '?',
  `${'a=1&'.repeat(2000)}b`,
];

/**
 * Headers that must cause nothing worse than an error; values that Node.js itself refuses never reach the
 * application.
 */
const HEADERS: readonly Readonly<Record<string, string>>[] = [
  { authorization: '' },
  { authorization: 'Bearer' },
  { authorization: 'Bearer  ' },
  { authorization: 'Basic YTpi' },
  { authorization: `Bearer ${'x'.repeat(8000)}` },
  { authorization: 'Bearer \xff\xfe' },
  { 'x-api-key': '\xe9\t"' },
  { 'x-request-id': '../../etc/passwd' },
  { 'x-request-id': 'x'.repeat(4000) },
  { 'x-forwarded-for': "1.2.3.4, ' OR 1=1, \xff" },
  { 'x-forwarded-for': ',,,' },
  { 'x-forwarded-for': 'x'.repeat(4000) },
  { 'x-forwarded-proto': 'gopher', 'x-forwarded-host': '\xff' },
  { host: 'a b', forwarded: 'for="_;=,"' },
  { accept: 'text/html' },
  { accept: '%%%;q=\xff', 'accept-encoding': '\xff', 'accept-language': '*;q=nope' },
  { 'if-none-match': '*', 'if-modified-since': 'never', range: 'bytes=-1-' },
  { 'anthropic-version': '../..' },
  { 'anthropic-beta': '\xff' },
  { 'x-http-method-override': 'DELETE', 'x-original-url': '/health' },
  { cookie: '__proto__=1; a=%ZZ' },
  { 'last-event-id': '-1', 'idempotency-key': '\xff' },
  { connection: 'upgrade', upgrade: 'websocket' },
];

/** Generates requests of an attacker who wants to break something. */
export function hostileDrafts(operation: Operation, good: Draft): fc.Arbitrary<Draft> {
  const kinds = [hostileBodies(operation), QUERIES.map(ofQuery), HEADERS.map(ofHeaders), paths(operation)];
  return fc
    .oneof(...kinds.filter((attacks) => attacks.length > 0).map((attacks) => fc.constantFrom(...attacks)))
    .map(({ label, alter, statuses, astray }) => ({
      ...good,
      label,
      alter,
      expected: { ...(statuses && { statuses }), ...(astray && { astray }), hostile: true },
    }));
}

function ofQuery(query: string): Attack {
  return { label: `the query ${query.slice(0, 40)}`, alter: (request) => withQuery(request, query) };
}

function ofHeaders(headers: Readonly<Record<string, string>>): Attack {
  return {
    label: `the headers ${JSON.stringify(headers).slice(0, 80)}`,
    alter: (request) => ({ ...request, headers: { ...request.headers, ...headers } }),
    // With any value of this header, the models are returned in another API format.
    astray: 'anthropic-version' in headers,
  };
}

function paths({ path, parameters }: Operation): Attack[] {
  const ids = parameters.filter(({ place }) => place === 'path');
  return ids.flatMap(({ name, schema }) => {
    const withSegment = (segment: string) => (request: FuzzRequest) => ({
      ...request,
      path: path.replace(`{${name}}`, () => segment),
    });
    const refused = schema.format === 'uuid' ? { statuses: [400, 404] } : {};
    return [
      ...SEGMENTS.map((segment) => ({
        label: `the path with ${segment.slice(0, 40)}`,
        alter: withSegment(segment),
        ...refused,
      })),
      ...ASTRAY.map((segment) => ({
        label: `the path with "${segment}"`,
        alter: withSegment(segment),
        astray: true,
      })),
    ];
  });
}
