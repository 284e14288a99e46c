import { type EventFrame, EventStreamReader } from '../../../common/event-stream.js';
import {
  isErrorReport,
  parseReply,
  ProviderError,
  type ProviderEvent,
  textField,
  toHostError,
  unreadableAnswer,
} from '../../port/index.js';
import { ReplyBeginning } from '../../transport/reply-beginning.js';
import { MessageTranslator } from './from-anthropic-stream.js';

const BROKEN_JSON: ProviderEvent = { type: 'skipped', reason: 'An event of the stream was not valid JSON.' };

/** Reads the bytes of a Messages stream, which is one of `text/event-stream`. */
export class MessageStreamReader {
  private readonly reader = new EventStreamReader();
  private readonly translator: MessageTranslator;
  private readonly relays: boolean;
  private readonly beginning = new ReplyBeginning();
  /** Whether an event of the API format came, and whether something came that was none. */
  private begun = false;
  private skipped = false;
  /** True once `message_stop` was read; what comes after it means nothing. */
  done = false;

  /**
   * @param options the model that was asked for, and the Unix time in seconds, which the wire does not tell;
   *   `relay` where every event is to be passed on as it came, besides what it means
   */
  constructor(options: { readonly model: string; readonly created: number; readonly relay?: boolean }) {
    this.translator = new MessageTranslator(options);
    this.relays = options.relay === true;
  }

  /**
   * The chunks that the bytes complete, one by one: those before an error are given before it is thrown.
   * @throws ProviderError where the stream carries an error
   */
  *push(bytes: Uint8Array): Generator<ProviderEvent, void> {
    if (this.beginning.takes(bytes)) return;
    for (const frame of this.reader.push(bytes)) yield* this.read(frame);
  }

  /**
   * The end of the bytes. Complete is an answer with a reason for its end, whether or not `message_stop` came.
   * @throws ProviderError where the stream ended before it
   */
  *end(): Generator<ProviderEvent, void> {
    const document = this.beginning.document();
    if (document !== undefined) throw failureIn(document);
    for (const frame of this.reader.end()) yield* this.read(frame);
    if (!this.translator.finished) {
      if (!this.begun && (this.skipped || this.beginning.isForeign)) {
        throw unreadableAnswer(
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
    const type = textField(event, 'type') ?? '';
    this.done = type === 'message_stop';
    const meaning = this.translator.translate(event);
    if (meaning.some((one) => one.type === 'skipped')) this.skipped = true;
    else this.begun = true;
    const soFar = type === 'message_start' ? this.translator.usageSoFar() : [];
    return [...soFar, ...(this.relays ? this.relay(frame, type, meaning) : meaning)];
  }

  /** The event as it came, with its meaning; what was no event of the wire is left out here too. */
  private relay({ event, data }: EventFrame, type: string, meaning: ProviderEvent[]): ProviderEvent[] {
    if (meaning.some((one) => one.type === 'skipped')) return meaning;
    // The usage is final with the reason of the end. Later events may correct it, so it is told with each of them.
    const told = this.translator.finished ? [...meaning, ...this.translator.lastChunk()] : meaning;
    const chunks = told.flatMap((one) => (one.type === 'chunk' ? [one.chunk] : []));
    // Some hosts name their events only in the data, and clients of this wire go by the name.
    return [{ type: 'relayed', name: event === '' ? type : event, raw: data, chunks }];
  }
}

/** Returns why one document in place of a stream is no answer. */
function failureIn(document: string): ProviderError {
  try {
    const value = parseReply(document);
    return isErrorReport(value)
      ? toHostError({ body: value })
      : unreadableAnswer('it is not an event stream');
  } catch (error) {
    if (error instanceof ProviderError) return error;
    throw error;
  }
}

function parse(data: string): object | undefined {
  try {
    const value: unknown = JSON.parse(data);
    return typeof value === 'object' && value !== null ? value : undefined;
  } catch {
    return undefined;
  }
}
