/** Origins whose pages may use the API; `*` for all. */
export type CorsOrigins = '*' | readonly string[];

/**
 * Parses a list of origins; returns undefined if it contains anything else. Each must be written as browsers send it,
 * because it is compared with their `Origin` header: a trailing slash, a default port or capitals would never match.
 */
export function parseCorsOrigins(text: string): CorsOrigins | undefined {
  if (text === '*') return '*';
  const origins = text.split(',').map((origin) => origin.trim());
  return origins.every(isOrigin) ? origins : undefined;
}

function isOrigin(text: string): boolean {
  // The URL parser accepts a star as part of a host name.
  if (!/^https?:/.test(text) || text.includes('*') || !URL.canParse(text)) return false;
  return new URL(text).origin === text;
}
