import { isIP } from 'node:net';

/**
 * Proxies whose `X-Forwarded-For` is trusted: none, a number of proxies in front of us, or those with certain
 * addresses.
 */
export type TrustProxy = false | number | readonly string[];

/** Network names that Express accepts. */
const NAMED = ['loopback', 'linklocal', 'uniquelocal'];

/** Maximum number of proxies in a chain; more are a mistake. */
const MAX_HOPS = 32;

/**
 * Parses `TRUST_PROXY`; returns undefined if the text is not valid. `true` is not: then anyone could forge any
 * address.
 */
export function parseTrustProxy(text: string): TrustProxy | undefined {
  if (text === 'false') return false;
  if (/^\d+$/.test(text)) {
    const hops = Number(text);
    return hops >= 1 && hops <= MAX_HOPS ? hops : undefined;
  }
  const places = text.split(',').map((place) => place.trim());
  return places.every(isPlace) ? places : undefined;
}

function isPlace(text: string): boolean {
  if (NAMED.includes(text)) return true;
  const [address = '', prefix, ...more] = text.split('/');
  const version = isIP(address);
  if (version === 0 || more.length > 0) return false;
  if (prefix === undefined) return true;
  // A network of all addresses would mean the same as `true`.
  return /^\d{1,3}$/.test(prefix) && Number(prefix) >= 1 && Number(prefix) <= (version === 4 ? 32 : 128);
}
