import { MAX_URL_LENGTH } from '../model/webhook.js';

/** The URL of a receiver, or the problem with it. */
export type ParsedReceiverUrl =
  | { readonly url: URL; readonly problem?: undefined }
  | { readonly url?: undefined; readonly problem: string };

/** Checks the form of the URL of a receiver. Its parser normalizes all spellings of an IPv4 address to one. */
export function parseReceiverUrl(text: string): ParsedReceiverUrl {
  if (text.length > MAX_URL_LENGTH)
    return { problem: `url must have at most ${String(MAX_URL_LENGTH)} characters` };
  const url = URL.parse(text);
  if (url === null) return { problem: 'url must be a valid URL' };
  if (url.protocol !== 'https:' && url.protocol !== 'http:')
    return { problem: 'url must begin with https:// or http://' };
  if (url.username !== '' || url.password !== '')
    return { problem: 'url must not contain a user name or password' };
  // An empty fragment is not visible in `hash`.
  if (text.includes('#')) return { problem: 'url must not contain a fragment' };
  if (url.href.length > MAX_URL_LENGTH)
    return { problem: `url must have at most ${String(MAX_URL_LENGTH)} characters when it is normalized` };
  return { url };
}
