import type { OutgoingEvent } from '../../common/event-stream.js';
import type { ModelAnswer, ModelEvent, ModelIdentity } from '../../llm/index.js';

type Relayed = Extract<ModelEvent, { type: 'relayed' }>;

/** Passes the events of a provider of this wire on as they came, but for the model's name, which is ours. */
export class MessageRelay {
  private name = '';
  private stopped = false;
  /** True once there was anything to pass on. */
  begun = false;

  begin(model: ModelIdentity): void {
    this.name = model.name;
  }

  /** The event as the client is to see it. */
  write({ name, raw, chunks }: Relayed): OutgoingEvent {
    this.begun = true;
    this.stopped ||= name === 'message_stop';
    const data = name === 'message_start' ? renameModel(raw, chunks[0]?.model ?? '', this.name) : raw;
    return { event: name, data: asLine(data) };
  }

  /** What clients wait for and the provider left out; its answer was complete all the same. */
  end(): OutgoingEvent[] {
    return this.stopped ? [] : [{ event: 'message_stop', data: { type: 'message_stop' } }];
  }
}

/** A whole message as it came, but for the model's name; undefined where it did not come on this wire. */
export function relayedMessage({ raw, completion, model }: ModelAnswer): string | undefined {
  return raw === undefined ? undefined : renameModel(raw, completion.model, model.name);
}

/**
 * Text for text, so that nothing else of it changes. Inside of a JSON text every quote is escaped, so what matches is a
 * field of that name; where there are several of them, the one meant is found by reading.
 */
function renameModel(raw: string, upstream: string, ours: string): string {
  const [before, after, ...others] = raw.split(`"model":${JSON.stringify(upstream)}`);
  if (before !== undefined && after !== undefined && others.length === 0)
    return `${before}"model":${JSON.stringify(ours)}${after}`;
  const value: unknown = JSON.parse(raw);
  return JSON.stringify(rename(value, ours));
}

/** The field stands in the message, which is the whole or the field `message` of an event. */
function rename(value: unknown, model: string): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if ('message' in value) return { ...value, message: rename(value.message, model) };
  return { ...value, model };
}

/** A frame holds one line; a line break in a JSON text can only stand between its parts. */
function asLine(data: string): string {
  return data.includes('\n') ? data.replaceAll('\n', ' ') : data;
}
