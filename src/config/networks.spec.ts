import { describe, expect, it } from '@jest/globals';
import { parseNetworks } from './networks.js';

describe('parseNetworks', () => {
  it('returns networks of both families, and an address alone as a network of one', () => {
    expect(parseNetworks('10.0.0.0/8, fd00::/8,127.0.0.1,::1')).toEqual([
      { address: '10.0.0.0', prefix: 8, family: 'ipv4' },
      { address: 'fd00::', prefix: 8, family: 'ipv6' },
      { address: '127.0.0.1', prefix: 32, family: 'ipv4' },
      { address: '::1', prefix: 128, family: 'ipv6' },
    ]);
  });

  it.each([
    '',
    'loopback',
    '10.0.0.0/33',
    '0.0.0.0/0',
    '::/0',
    '10/8',
    '10.0.0.0/8/8',
    'fe80::1%eth0/64',
    '10.0.0.0/-1',
    '10.0.0.0/8,',
    'example.com',
  ])('rejects %j', (text) => {
    expect(parseNetworks(text)).toBeUndefined();
  });
});
