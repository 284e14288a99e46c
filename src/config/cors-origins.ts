/** Whose pages may use the API: everybody's, or those of certain origins. */
export type CorsOrigins = '*' | readonly string[];

/**
 * The origins of a text, or undefined where it has something else in it. Each is taken as browsers write it, because it
 * is compared with what they send: a slash at the end, a default port or capitals would never match.
 */
export function parseCorsOrigins(text: string): CorsOrigins | undefined {
  if (text === '*') return '*';
  const origins = text.split(',').map((origin) => origin.trim());
  return origins.every(isOrigin) ? origins : undefined;
}

function isOrigin(text: string): boolean {
  // The URL parser takes a star for a part of a name.
  if (!/^https?:/.test(text) || text.includes('*') || !URL.canParse(text)) return false;
  return new URL(text).origin === text;
}
