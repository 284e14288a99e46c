import { EventStreamReader } from '../../../common/event-stream.js';
import { ProviderError, type ProviderEvent, textField } from '../../port/index.js';
import { MessageTranslator } from './from-anthropic-stream.js';

const BROKEN_JSON: ProviderEvent = { type: 'skipped', reason: 'One event of the stream was not valid JSON.' };

/** Reads the bytes of a Messages stream, which is one of `text/event-stream`. */
export class MessageStreamReader {
  private readonly reader = new EventStreamReader();
  private readonly translator: MessageTranslator;
  /** True once `message_stop` was read; what comes after it means nothing. */
  done = false;

  /** @param options the model that was asked for, and the Unix time in seconds, which the wire does not tell */
  constructor(options: { readonly model: string; readonly created: number }) {
    this.translator = new MessageTranslator(options);
  }

  /**
   * The chunks that the bytes complete, one by one: those before an error are given before it is thrown.
   * @throws ProviderError where the stream carries an error
   */
  *push(bytes: Uint8Array): Generator<ProviderEvent, void> {
    for (const { data } of this.reader.push(bytes)) yield* this.read(data);
  }

  /**
   * The end of the bytes. Complete is an answer with a reason for its end, whether or not `message_stop` came.
   * @throws ProviderError where the stream ended before it
   */
  *end(): Generator<ProviderEvent, void> {
    for (const { data } of this.reader.end()) yield* this.read(data);
    if (!this.translator.finished) {
      throw new ProviderError(
        'broken_answer',
        'The provider ended the answer without saying that it is complete.',
      );
    }
    yield* this.translator.lastChunk();
  }

  private read(data: string): ProviderEvent[] {
    if (this.done) return [];
    const event = parse(data);
    if (event === undefined) return [BROKEN_JSON];
    this.done = textField(event, 'type') === 'message_stop';
    return this.translator.translate(event);
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
