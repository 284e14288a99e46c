import { isIP } from 'node:net';

/** Whose word on a client's address counts: nobody's, that of so many proxies before us, or that of certain addresses. */
export type TrustProxy = false | number | readonly string[];

/** Networks that have a name. */
const NAMED = ['loopback', 'linklocal', 'uniquelocal'];

/** More proxies in a row than this are a mistake. */
const MAX_HOPS = 32;

/**
 * Whom to believe, or undefined where the text says nothing of it. `true` says nothing: everybody could write any
 * address then.
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
  // A network of all addresses is `true` in other words.
  return /^\d{1,3}$/.test(prefix) && Number(prefix) >= 1 && Number(prefix) <= (version === 4 ? 32 : 128);
}
