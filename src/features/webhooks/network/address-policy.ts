import { BlockList, isIP } from 'node:net';
import type { Network } from '../../../config/index.js';

/** IPv4 networks that are not public, from IANA's registry of special-purpose addresses, and multicast. */
const SPECIAL_IPV4: readonly (readonly [address: string, prefix: number])[] = [
  ['0.0.0.0', 8], // this network
  ['10.0.0.0', 8], // private
  ['100.64.0.0', 10], // shared by carriers (CGNAT); metadata of Alibaba Cloud
  ['127.0.0.0', 8], // loopback
  ['169.254.0.0', 16], // link-local; metadata of most clouds
  ['172.16.0.0', 12], // private
  ['192.0.0.0', 24], // protocol assignments; metadata of Oracle Cloud
  ['192.0.2.0', 24], // documentation
  ['192.31.196.0', 24], // AS112
  ['192.52.193.0', 24], // AMT
  ['192.88.99.0', 24], // relays of 6to4
  ['192.168.0.0', 16], // private
  ['192.175.48.0', 24], // AS112
  ['198.18.0.0', 15], // benchmarks
  ['198.51.100.0', 24], // documentation
  ['203.0.113.0', 24], // documentation
  ['224.0.0.0', 4], // multicast
  ['240.0.0.0', 4], // reserved, and broadcast
  ['168.63.129.16', 32], // the host of a virtual machine in Azure, a public address
];

/** All IPv6 addresses that are assigned to networks of the Internet. */
const GLOBAL_IPV6 = ['2000::', 3] as const;

/** IPv6 networks of those that are not public. */
const SPECIAL_IPV6: readonly (readonly [address: string, prefix: number])[] = [
  ['2001::', 23], // protocol assignments: Teredo, benchmarks, ORCHID
  ['2001:db8::', 32], // documentation
  ['2002::', 16], // 6to4, which contains IPv4 addresses
  ['2620:4f:8000::', 48], // AS112
  ['3fff::', 20], // documentation
];

/** Numbers of the groups of an IPv6 address before an IPv4 address that it contains: mapped, and of NAT64. */
const EMBEDDING_PREFIXES: readonly (readonly number[])[] = [
  [0, 0, 0, 0, 0, 0xffff],
  [0x64, 0xff9b, 0, 0, 0, 0],
];

/** `exempt`: not public, but in a network that the operator allows. */
export type AddressClass = 'public' | 'exempt' | 'refused';

/** Decides to which addresses webhooks may be sent. */
export class AddressPolicy {
  private readonly special = new BlockList();
  private readonly globalIpv6 = new BlockList();
  private readonly allowed = new BlockList();

  /** @param allowedNetworks networks that are exempt */
  constructor(allowedNetworks: readonly Network[]) {
    for (const [address, prefix] of SPECIAL_IPV4) this.special.addSubnet(address, prefix, 'ipv4');
    for (const [address, prefix] of SPECIAL_IPV6) this.special.addSubnet(address, prefix, 'ipv6');
    this.globalIpv6.addSubnet(...GLOBAL_IPV6, 'ipv6');
    for (const { address, prefix, family } of allowedNetworks)
      this.allowed.addSubnet(address, prefix, family);
  }

  /** Classifies an address. What is no address, or has a zone, is refused. */
  classify(text: string): AddressClass {
    const version = text.includes('%') ? 0 : isIP(text);
    if (version === 0) return 'refused';
    const address = version === 4 ? text : (embeddedIpv4(text) ?? text);
    const family = isIP(address) === 4 ? 'ipv4' : 'ipv6';
    if (this.allowed.check(address, family)) return 'exempt';
    if (this.special.check(address, family)) return 'refused';
    return family === 'ipv4' || this.globalIpv6.check(address, family) ? 'public' : 'refused';
  }
}

/** Returns the IPv4 address that an IPv6 address stands for, if it does. */
function embeddedIpv4(address: string): string | undefined {
  const groups = ipv6Groups(address);
  const isEmbedded = EMBEDDING_PREFIXES.some((prefix) =>
    prefix.every((group, index) => groups[index] === group),
  );
  if (!isEmbedded) return undefined;
  return groups
    .slice(-2)
    .flatMap((group) => [group >> 8, group & 0xff])
    .join('.');
}

/** Returns the 8 groups of a valid IPv6 address. */
function ipv6Groups(address: string): number[] {
  // The parser of URLs writes an IPv4 address at the end as two groups.
  const canonical = new URL(`http://[${address}]`).hostname.slice(1, -1);
  const [head = '', tail] = canonical.split('::');
  const parse = (part: string): number[] =>
    part === '' ? [] : part.split(':').map((group) => Number.parseInt(group, 16));
  const [before, after] = [parse(head), parse(tail ?? '')];
  const zeros = Array.from({ length: 8 - before.length - after.length }, () => 0);
  return [...before, ...zeros, ...after];
}
