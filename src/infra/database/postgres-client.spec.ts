import { describe, expect, it } from '@jest/globals';
import { isServerUnavailable, maskPassword, failureReason } from './postgres-client.js';

const withCode = (code: unknown, message = 'No.'): Error => Object.assign(new Error(message), { code });
/** Node tries every address of a host and reports all failures together. */
const everywhere = (...codes: string[]) =>
  new AggregateError(
    codes.map((code) => withCode(code, code)),
    '',
  );

describe('isServerUnavailable', () => {
  it.each<[string, unknown]>([
    ['a socket was refused', withCode('ECONNREFUSED')],
    ['all addresses were refused', everywhere('ECONNREFUSED', 'ENETUNREACH')],
    ['the server shuts down', withCode('57P01')],
    ['the server starts', withCode('57P03')],
    ['all connections are taken', withCode('53300')],
    ['the connection failed', withCode('08006')],
    ['the connection ended', new Error('Connection terminated unexpectedly')],
    ['connecting timed out', new Error('timeout expired')],
    ['the code is not a string', withCode(7, 'Client was closed and is not queryable')],
  ])('is true if %s', (_what, error) => {
    expect(isServerUnavailable(error)).toBe(true);
  });

  it.each<[string, unknown]>([
    ['the password is wrong', withCode('28P01')],
    ['the database is missing', withCode('3D000')],
    ['one of several failures is permanent', everywhere('ECONNREFUSED', 'CERT_HAS_EXPIRED')],
    ['the error is a bug in our code', new TypeError('x is not a function')],
    ['the thrown value is not an error', 'timeout'],
  ])('is false if %s', (_what, error) => {
    expect(isServerUnavailable(error)).toBe(false);
  });
});

describe('reasonOf', () => {
  it.each<[unknown, string]>([
    [new Error('No.'), 'No.'],
    [withCode('ECONNREFUSED', ''), 'ECONNREFUSED'],
    [new TypeError(''), 'TypeError'],
    [everywhere('ECONNREFUSED', 'ECONNREFUSED', 'ENETUNREACH'), 'ECONNREFUSED; ENETUNREACH'],
    [new AggregateError([], 'All failed.'), 'All failed.'],
    ['gone', 'gone'],
  ])('describes %p as %j', (error, reason) => {
    expect(failureReason(error)).toBe(reason);
  });
});

describe('maskPassword', () => {
  it.each([
    ['postgresql://user:word@db:5432/parley', 'postgresql://user:***@db:5432/parley'],
    ['postgresql://db/parley?user=me&password=word', 'postgresql://db/parley?user=me&password=***'],
    ['postgresql://db/parley?sslpassword=word', 'postgresql://db/parley?sslpassword=***'],
    ['postgresql://db/parley', 'postgresql://db/parley'],
    ['host=db password=word', 'not a URL'],
  ])('turns %j into %j', (given, shown) => {
    expect(maskPassword(given)).toBe(shown);
  });
});
