import { type EventFrame, EventStreamReader } from '../../../common/event-stream.js';
import {
  isErrorReport,
  parseReply,
  ProviderError,
  type ProviderEvent,
  getStringField,
  toHostError,
  invalidResponseError,
} from '../../port/index.js';
import { ResponseSniffer } from '../../transport/response-sniffer.js';
import { toStreamEvents } from './from-anthropic-message.js';
import { MessageTranslator } from './message-translator.js';

const BROKEN_JSON: ProviderEvent = { type: 'skipped', reason: 'An event of the stream was not valid JSON.' };

/** Reads the bytes of a Messages stream, which is a `text/event-stream`. */
export class MessageStreamReader {
  private readonly reader = new EventStreamReader();
  private readonly translator: MessageTranslator;
  private readonly relays: boolean;
  private readonly beginning = new ResponseSniffer();
  /** True once an event of the API format has arrived. */
  private begun = false;
  /** True once an event that is not of the API format has arrived. */
  private skipped = false;
  /** True once `message_stop` has arrived; anything after it is ignored. */
  done = false;

  /**
   * @param options the requested model, and the Unix time in seconds, which the protocol does not contain;
   * `relay` to pass on every event unchanged, besides its translation
   */
  constructor(options: { readonly model: string; readonly created: number; readonly relay?: boolean }) {
    this.translator = new MessageTranslator(options);
    this.relays = options.relay === true;
  }

  /**
   * Yields the chunks that the bytes complete, one by one: those before an error are yielded before it is
   * thrown.
   * @throws ProviderError if the stream contains an error
   */
  *push(bytes: Uint8Array): Generator<ProviderEvent, void> {
    if (this.beginning.takes(bytes)) return;
    for (const frame of this.reader.push(bytes)) yield* this.read(frame);
  }

  /**
   * Ends the stream. An answer with a stop reason is complete, whether or not `message_stop` arrived.
   * @throws ProviderError if the stream ended before it was complete
   */
  *end(): Generator<ProviderEvent, void> {
    const document = this.beginning.document();
    for (const frame of document === undefined ? this.reader.end() : framesOf(document)) {
      yield* this.read(frame);
    }
    if (!this.translator.finished) {
      if (!this.begun && (this.skipped || this.beginning.isForeign)) {
        throw invalidResponseError(
          this.skipped ? "none of its events is in Anthropic's API format" : 'it is not an event stream',
        );
      }
      throw new ProviderError(
        'broken_answer',
        'The provider ended the stream before the answer was complete.',
      );
    }
    if (!this.relays) yield* this.translator.lastChunk();
  }

  private read(frame: EventFrame): ProviderEvent[] {
    if (this.done) return [];
    const event = parse(frame.data);
    if (event === undefined) {
      if (frame.event === 'error') throw toHostError({ body: frame.data });
      this.skipped = true;
      return [BROKEN_JSON];
    }
    const type = getStringField(event, 'type') ?? '';
    this.done = type === 'message_stop';
    const meaning = this.translator.translate(event);
    if (meaning.some((one) => one.type === 'skipped')) this.skipped = true;
    else this.begun = true;
    const soFar = type === 'message_start' ? this.translator.usageSoFar() : [];
    return [...soFar, ...(this.relays ? this.relay(frame, type, meaning) : meaning)];
  }

  /**
   * Returns the event unchanged, with its translation. An event that is not of the protocol is skipped here
   * too.
   */
  private relay({ event, data }: EventFrame, type: string, meaning: ProviderEvent[]): ProviderEvent[] {
    if (meaning.some((one) => one.type === 'skipped')) return meaning;
    // The usage is final with the stop reason. Later events may correct it, so each of them carries it again.
    const events = this.translator.finished ? [...meaning, ...this.translator.lastChunk()] : meaning;
    const chunks = events.flatMap((one) => (one.type === 'chunk' ? [one.chunk] : []));
    // Some hosts name their events only in the data, but clients of this protocol rely on the event name.
    return [{ type: 'relayed', eventName: event === '' ? type : event, raw: data, chunks }];
  }
}

/**
 * Returns the frames of a stream with the same content as a single document, which some hosts send in its place.
 * @throws ProviderError for an error report, and for a document that is not a message
 */
function framesOf(document: string): EventFrame[] {
  const value = parseReply(document);
  if (isErrorReport(value)) throw toHostError({ body: value });
  const frames = Array.from(toStreamEvents(value), (event) => ({
    event: getStringField(event, 'type') ?? '',
    data: JSON.stringify(event),
  }));
  if (frames.length === 0) throw invalidResponseError('it is not an event stream');
  return frames;
}

function parse(data: string): object | undefined {
  try {
    const value: unknown = JSON.parse(data);
    return typeof value === 'object' && value !== null ? value : undefined;
  } catch {
    return undefined;
  }
}
