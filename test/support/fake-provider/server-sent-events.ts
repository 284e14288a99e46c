import { parseJson } from './unknown-value.js';
import type { Frame, FrameStyle } from './provider-protocol.js';

/** A comment, which every reader of server-sent events ignores. */
export const PING = ': ping\n\n';

/**
 * Encodes an event. The awkward style uses CRLF, a comment before the event and one within it, `id` and `retry`
 * fields, an `event` field with the default name, fields with and without the optional space, and data over
 * several lines.
 */
export function encodeEvent(frame: Frame, style: FrameStyle): string {
  const name = frame.event === undefined ? [] : [`event: ${frame.event}`];
  if (style === 'plain') return [...name, `data: ${frame.data}`, '', ''].join('\n');
  const data = spread(frame.data).map((line, index) => (index % 2 === 0 ? `data: ${line}` : `data:${line}`));
  return [
    ': ping',
    '',
    ...(name.length > 0 ? name : ['event: message']),
    'id: 1',
    'retry: 3000',
    ':',
    ...data,
    '',
    '',
  ].join('\r\n');
}

/** Splits a JSON text at legal line breaks; no line starts with a space, which a reader may strip. */
function spread(data: string): string[] {
  const value = parseJson(data);
  return value === undefined ? [data] : JSON.stringify(value, null, '\t').split('\n');
}
