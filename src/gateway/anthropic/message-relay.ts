import type { OutgoingEvent } from '../../common/event-stream.js';
import type { ModelAnswer, ModelEvent, ModelIdentity } from '../../llm/index.js';

type Relayed = Extract<ModelEvent, { type: 'relayed' }>;

/**
 * Passes on the events of a provider with this protocol unchanged, except for the model's name, which is
 * replaced by ours.
 */
export class MessageRelay {
  private name = '';
  private stopped = false;
  /** True once an event has been passed on. */
  hasRelayed = false;

  begin(model: ModelIdentity): void {
    this.name = model.name;
  }

  /** Returns the event for the client. */
  write({ eventName: name, raw, chunks }: Relayed): OutgoingEvent {
    this.hasRelayed = true;
    this.stopped ||= name === 'message_stop';
    const data = name === 'message_start' ? renameModel(raw, chunks[0]?.model ?? '', this.name) : raw;
    return { event: name, data: asLine(data) };
  }

  /**
   * Returns `message_stop` if the provider omitted it: clients wait for it, and the answer was complete
   * nevertheless.
   */
  end(): OutgoingEvent[] {
    return this.stopped ? [] : [{ event: 'message_stop', data: { type: 'message_stop' } }];
  }
}

/**
 * Returns a whole message as received with the model renamed; undefined if it was not received in this API
 * format.
 */
export function toRelayedMessage({ raw, completion, model }: ModelAnswer): string | undefined {
  return raw === undefined ? undefined : renameModel(raw, completion.model, model.name);
}

/**
 * Replaces the model's name as a string, so that nothing else changes. Inside a JSON string every quote is
 * escaped, so a match is always a field of that name; with several matches, the right one is found by parsing.
 */
function renameModel(raw: string, upstream: string, ours: string): string {
  const [before, after, ...others] = raw.split(`"model":${JSON.stringify(upstream)}`);
  if (before !== undefined && after !== undefined && others.length === 0)
    return `${before}"model":${JSON.stringify(ours)}${after}`;
  const value: unknown = JSON.parse(raw);
  return JSON.stringify(rename(value, ours));
}

/** Replaces the field in the message, which is either the whole value or the field `message` of an event. */
function rename(value: unknown, model: string): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if ('message' in value) return { ...value, message: rename(value.message, model) };
  return { ...value, model };
}

/**
 * Joins lines. An SSE `data` field holds one line, and a line break in a JSON text can occur only between its
 * tokens.
 */
function asLine(data: string): string {
  return data.includes('\n') ? data.replaceAll('\n', ' ') : data;
}
