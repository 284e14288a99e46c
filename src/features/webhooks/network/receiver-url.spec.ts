import { describe, expect, it } from '@jest/globals';
import { AddressPolicy } from './address-policy.js';
import { parseReceiverUrl } from './receiver-url.js';

describe('parseReceiverUrl', () => {
  it.each([
    ['ftp://example.com/', 'https://'],
    ['javascript:alert(1)', 'https://'],
    ['file:///etc/passwd', 'https://'],
    ['gopher://example.com/', 'https://'],
    ['https://', 'valid URL'],
    ['hooks', 'valid URL'],
    ['//example.com/', 'valid URL'],
    ['https://exa mple.com/', 'valid URL'],
    ['https://[fe80::1%25eth0]/', 'valid URL'],
    ['https://256.1.1.1/', 'valid URL'],
    ['https://1.2.3.4.5/', 'valid URL'],
    ['https://ada@example.com/', 'user name'],
    ['https://ada:pw@example.com/', 'user name'],
    ['https://:pw@example.com/', 'user name'],
    ['https://example.com/#part', 'fragment'],
    ['https://example.com/#', 'fragment'],
    [`https://example.com/${'a'.repeat(2_048)}`, '2048 characters'],
    // Each of these characters becomes nine.
    [`https://example.com/${'☃'.repeat(500)}`, 'normalized'],
  ])('rejects %j and says why', (text, reason) => {
    expect(parseReceiverUrl(text).problem).toContain(reason);
  });

  it('accepts a URL with a port, a path, a query and an international name', () => {
    expect(parseReceiverUrl('https://hooks.exämple.com:8443/a/b?token=1').url?.href).toBe(
      'https://hooks.xn--exmple-cua.com:8443/a/b?token=1',
    );
  });

  it.each([
    'http://2130706433/',
    'http://0x7f000001/',
    'http://0x7f.1/',
    'http://0177.0.0.1/',
    'http://127.1/',
    'http://127.0.0.1./',
    'http://127。0。0。1/',
    'http://１２７.0.0.1/',
    'http://%31%32%37.0.0.1/',
    'http://127.0.0.1:80\\@example.com/',
    'http://[::ffff:127.0.0.1]/',
    'http://[::ffff:7f00:1]/',
    'http://[0000:0:0:0:0:0:0:0001]/',
    'http://[::]/',
    'http://0/',
  ])('normalizes %s to an address that is refused', (text) => {
    const hostname = parseReceiverUrl(text).url?.hostname ?? '';
    expect(new AddressPolicy([]).classify(hostname.replace(/^\[(.*)\]$/, '$1'))).toBe('refused');
    expect(hostname).toMatch(/^(?:\[[\da-f:]+\]|\d+\.\d+\.\d+\.\d+)$/);
  });
});
