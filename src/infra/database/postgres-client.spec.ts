import { describe, expect, it } from '@jest/globals';
import { isServerAway, maskPassword, reasonOf } from './postgres-client.js';

const withCode = (code: unknown, message = 'No.'): Error => Object.assign(new Error(message), { code });
/** Node tries every address of a host, and reports all failures together. */
const everywhere = (...codes: string[]) =>
  new AggregateError(
    codes.map((code) => withCode(code, code)),
    '',
  );

describe('another try may help', () => {
  it.each<[string, unknown]>([
    ['a socket was refused', withCode('ECONNREFUSED')],
    ['all addresses were refused', everywhere('ECONNREFUSED', 'ENETUNREACH')],
    ['the server shuts down', withCode('57P01')],
    ['the server starts', withCode('57P03')],
    ['all connections are taken', withCode('53300')],
    ['the connection failed', withCode('08006')],
    ['the connection ended', new Error('Connection terminated unexpectedly')],
    ['it took too long', new Error('timeout expired')],
    ['the code is none', withCode(7, 'Client was closed and is not queryable')],
  ])('if %s', (_what, error) => {
    expect(isServerAway(error)).toBe(true);
  });

  it.each<[string, unknown]>([
    ['the password is wrong', withCode('28P01')],
    ['the database is missing', withCode('3D000')],
    ['one of several failures stays', everywhere('ECONNREFUSED', 'CERT_HAS_EXPIRED')],
    ['the code is at fault', new TypeError('x is not a function')],
    ['it is no error at all', 'timeout'],
  ])('but not if %s', (_what, error) => {
    expect(isServerAway(error)).toBe(false);
  });
});

describe('the reason of a failure', () => {
  it.each<[unknown, string]>([
    [new Error('No.'), 'No.'],
    [withCode('ECONNREFUSED', ''), 'ECONNREFUSED'],
    [new TypeError(''), 'TypeError'],
    [everywhere('ECONNREFUSED', 'ECONNREFUSED', 'ENETUNREACH'), 'ECONNREFUSED; ENETUNREACH'],
    [new AggregateError([], 'All failed.'), 'All failed.'],
    ['gone', 'gone'],
  ])('%p is %j', (error, reason) => {
    expect(reasonOf(error)).toBe(reason);
  });
});

describe('a connection string that is shown', () => {
  it.each([
    ['postgresql://user:word@db:5432/parley', 'postgresql://user:***@db:5432/parley'],
    ['postgresql://db/parley?user=me&password=word', 'postgresql://db/parley?user=me&password=***'],
    ['postgresql://db/parley?sslpassword=word', 'postgresql://db/parley?sslpassword=***'],
    ['postgresql://db/parley', 'postgresql://db/parley'],
    ['host=db password=word', 'not a URL'],
  ])('%j is %j', (given, shown) => {
    expect(maskPassword(given)).toBe(shown);
  });
});
