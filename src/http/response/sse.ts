import type { Response } from 'express';
import type { AppError } from '../../common/errors.js';
import type { OutgoingEvent } from '../../common/event-stream.js';
import { toErrorObject } from '../errors/error-body.dto.js';
import { sendStream } from './response-stream.js';

export interface EventStreamOptions {
  readonly headers: Readonly<Record<string, string>>;
  /** Produces the events; the signal aborts when the client disconnects. */
  readonly events: (signal: AbortSignal) => AsyncIterable<OutgoingEvent>;
  /** When the headers are sent; see `ResponseStream.begin`. */
  readonly begin: 'at_once' | 'first_event';
  /** Returns the event that reports a failure in mid-stream; `{"error": …}` by default. */
  readonly failure?: (error: AppError) => OutgoingEvent;
}

/**
 * Sends an event stream and resolves when it has ended, for whatever reason.
 * @throws what the events threw before the first of them, with `begin: 'first_event'`
 */
export async function sendEventStream(response: Response, options: EventStreamOptions): Promise<void> {
  await sendStream(response, {
    headers: { ...options.headers, 'Content-Type': 'text/event-stream; charset=utf-8' },
    items: options.events,
    begin: options.begin === 'at_once' ? 'at_once' : 'first_item',
    render,
    failure: (error) => render(options.failure?.(error) ?? { data: { error: toErrorObject(error) } }),
    ping: ': ping\n\n',
  });
}

function render({ id, event, data }: OutgoingEvent): string {
  const text = typeof data === 'string' ? data : JSON.stringify(data);
  const name = event === undefined ? '' : `event: ${event}\n`;
  return id === undefined ? `${name}data: ${text}\n\n` : `id: ${id}\n${name}data: ${text}\n\n`;
}
