import { describe, expect, it } from '@jest/globals';
import { parseNetworks } from '../../../config/networks.js';
import { AddressPolicy } from './address-policy.js';

const policy = new AddressPolicy([]);

/** The first and last addresses of networks that are not public, with what they are for. */
const REFUSED: readonly (readonly [what: string, ...addresses: string[]])[] = [
  ['unspecified', '0.0.0.0', '0.255.255.255', '::'],
  ['private', '10.0.0.0', '10.255.255.255', '172.16.0.0', '172.31.255.255', '192.168.0.0', '192.168.255.255'],
  ['CGNAT', '100.64.0.0', '100.127.255.255'],
  ['loopback', '127.0.0.1', '127.255.255.255', '::1', '0:0:0:0:0:0:0:1'],
  ['link-local', '169.254.0.0', '169.254.255.255', 'fe80::1', 'febf:ffff::1'],
  [
    'metadata of clouds',
    '169.254.169.254',
    '100.100.100.200',
    '192.0.0.192',
    '168.63.129.16',
    'fd00:ec2::254',
  ],
  ['protocol assignments', '192.0.0.0', '192.0.0.255', '2001::1', '2001:1ff:ffff::1'],
  [
    'documentation',
    '192.0.2.1',
    '198.51.100.1',
    '203.0.113.255',
    '2001:db8::1',
    '3fff::1',
    '3fff:fff:ffff::1',
  ],
  ['AS112 and AMT', '192.31.196.1', '192.52.193.1', '192.175.48.1', '2620:4f:8000::1'],
  ['benchmarks', '198.18.0.0', '198.19.255.255', '2001:2::1'],
  ['multicast', '224.0.0.1', '239.255.255.255', 'ff02::1'],
  ['reserved and broadcast', '240.0.0.0', '255.255.255.255'],
  ['unique local', 'fc00::1', 'fdff:ffff::1'],
  ['site-local', 'fec0::1'],
  ['discard', '100::1'],
  ['outside of what is assigned to the Internet', '4000::1', '1fff::1', '5f00::1'],
  ['Teredo', '2001:0:4136:e378:8000:63bf:3fff:fdd2'],
  ['6to4, even of a public address', '2002:808:808::1', '2002:7f00:1::1', '192.88.99.1'],
  ['mapped', '::ffff:127.0.0.1', '::ffff:7f00:1', '::ffff:10.0.0.1', '0:0:0:0:0:ffff:a9fe:a9fe'],
  ['IPv4-compatible', '::127.0.0.1', '::8.8.8.8'],
  ['NAT64', '64:ff9b::127.0.0.1', '64:ff9b::a00:1', '64:ff9b::169.254.169.254'],
  ['NAT64 of a local network', '64:ff9b:1::8.8.8.8'],
  ['no address', '', 'example.com', '127.1', '0x7f000001', '2130706433', '127.0.0.1.', '1.2.3.4.5'],
  ['with a zone', 'fe80::1%eth0', '2606:4700::1%1', '::1%lo'],
];

/** Public addresses, some of them next to networks that are not. */
const PUBLIC = [
  '1.1.1.1',
  '9.255.255.255',
  '11.0.0.0',
  '100.63.255.255',
  '100.128.0.0',
  '126.255.255.255',
  '128.0.0.0',
  '169.253.255.255',
  '169.255.0.0',
  '172.15.255.255',
  '172.32.0.0',
  '192.0.1.0',
  '192.167.255.255',
  '192.169.0.0',
  '198.17.255.255',
  '198.20.0.0',
  '223.255.255.255',
  '168.63.129.15',
  '2606:4700:4700::1111',
  '2001:4860:4860::8888',
  '2001:200::1',
  '2003::1',
  '64:ff9b::8.8.8.8',
  '::ffff:8.8.8.8',
];

describe('AddressPolicy', () => {
  it.each(REFUSED)('refuses addresses that are %s', (_what, ...addresses) => {
    expect(addresses.filter((address) => policy.classify(address) !== 'refused')).toEqual([]);
  });

  it.each(PUBLIC)('accepts the public address %s', (address) => {
    expect(policy.classify(address)).toBe('public');
  });

  it('exempts the networks that the operator allows, in each spelling, and no others', () => {
    const exempting = new AddressPolicy(parseNetworks('10.1.0.0/16,::1,fd00:1::/32') ?? []);
    for (const address of ['10.1.2.3', '::ffff:10.1.2.3', '64:ff9b::10.1.2.3', '::1', 'fd00:1::9'])
      expect([address, exempting.classify(address)]).toEqual([address, 'exempt']);
    for (const address of ['10.2.0.1', '127.0.0.1', 'fd00:2::1', '::ffff:10.2.0.1'])
      expect([address, exempting.classify(address)]).toEqual([address, 'refused']);
    expect(exempting.classify('1.1.1.1')).toBe('public');
  });
});
