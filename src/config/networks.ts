import { isIP } from 'node:net';

/** A network of IP addresses. */
export interface Network {
  readonly address: string;
  readonly prefix: number;
  readonly family: 'ipv4' | 'ipv6';
}

/** Numbers of bits of addresses. */
const BITS = { ipv4: 32, ipv6: 128 } as const;

/** Parses comma-separated networks such as `10.0.0.0/8`; an address alone is a network of one. Undefined if invalid. */
export function parseNetworks(text: string): readonly Network[] | undefined {
  const networks = text.split(',').map((part) => parseNetwork(part.trim()));
  return networks.every((network) => network !== undefined) ? networks : undefined;
}

function parseNetwork(text: string): Network | undefined {
  const [address = '', prefix, ...more] = text.split('/');
  const version = isIP(address);
  // A zone identifies an interface of this machine, not a network.
  if (version === 0 || address.includes('%') || more.length > 0) return undefined;
  const family = version === 4 ? 'ipv4' : 'ipv6';
  if (prefix === undefined) return { address, prefix: BITS[family], family };
  // A network of all addresses would switch the protection off.
  if (!/^\d{1,3}$/.test(prefix) || Number(prefix) < 1 || Number(prefix) > BITS[family]) return undefined;
  return { address, prefix: Number(prefix), family };
}
