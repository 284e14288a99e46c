import { describe, expect, it } from '@jest/globals';
import { parseTrustProxy } from './trust-proxy.js';

describe('TRUST_PROXY', () => {
  it.each<[string, unknown]>([
    ['false', false],
    ['1', 1],
    ['32', 32],
    ['10.0.0.1', ['10.0.0.1']],
    ['10.0.0.0/8, loopback,fd00::/8', ['10.0.0.0/8', 'loopback', 'fd00::/8']],
  ])('accepts %s', (text, value) => {
    expect(parseTrustProxy(text)).toEqual(value);
  });

  it.each([
    'true',
    '0',
    '33',
    '-1',
    '1.5',
    'yes',
    '*',
    'proxy.example.com',
    '10.0.0.0/33',
    '10.0.0.0/0',
    '::/0',
    '10.0.0.0/',
    '10.0.0.0/8/8',
    '10.0.0.1,,10.0.0.2',
    'loopback,true',
  ])('rejects %s', (text) => {
    expect(parseTrustProxy(text)).toBeUndefined();
  });
});
