import { EventStreamReader } from '../../../common/event-stream.js';
import { type ChatChunk, ProviderError, type ProviderEvent } from '../../port/index.js';
import { toProviderErrorInStream } from './openai-errors.js';

const BROKEN_JSON: ProviderEvent = { type: 'skipped', reason: 'One event of the stream was not valid JSON.' };
const NO_CHUNK: ProviderEvent = { type: 'skipped', reason: 'One event of the stream was not a chunk.' };

/**
 * Reads the bytes of a Chat Completions stream.
 * Wire: `data:` events with a `chat.completion.chunk` each, one finish reason a choice, at last `[DONE]`, which some
 * hosts leave out. https://platform.openai.com/docs/api-reference/chat-streaming
 */
export class ChatStreamReader {
  private readonly reader = new EventStreamReader();
  /** Choices that have begun and not ended. A stream that stops before all have is broken, however cleanly it closed. */
  private readonly open = new Set<number>();
  private finished = false;
  /** True once `[DONE]` was read; what comes after it means nothing. */
  done = false;

  /**
   * The events that the bytes complete, one by one: those before an error are there before it is thrown.
   * @throws ProviderError where the stream carries an error
   */
  *push(bytes: Uint8Array): Generator<ProviderEvent> {
    for (const { data } of this.reader.push(bytes)) {
      if (this.done) return;
      if (data === '[DONE]') this.done = true;
      else yield this.read(data);
    }
  }

  /**
   * The end of the bytes.
   * @throws ProviderError where not every choice has a finish reason
   */
  *end(): Generator<ProviderEvent> {
    if (!this.done) {
      for (const { data } of this.reader.end()) if (data !== '[DONE]') yield this.read(data);
    }
    if (this.finished && this.open.size === 0) return;
    throw new ProviderError(
      'broken_answer',
      'The provider ended the answer without saying that it is complete.',
    );
  }

  private read(data: string): ProviderEvent {
    const value = parse(data);
    if (value === undefined) return BROKEN_JSON;
    if ('error' in value && value.error !== null) throw toProviderErrorInStream(value.error);
    if (!isChunk(value)) return NO_CHUNK;
    for (const choice of value.choices) {
      if (typeof choice.finish_reason === 'string') {
        this.open.delete(choice.index);
        this.finished = true;
      } else {
        this.open.add(choice.index);
      }
    }
    return { type: 'chunk', chunk: value, raw: data };
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

/** What we rely on is checked; everything else in a chunk passes through unread. */
function isChunk(value: object): value is ChatChunk {
  return 'choices' in value && Array.isArray(value.choices) && value.choices.every(isChoice);
}

function isChoice(value: unknown): boolean {
  return (
    typeof value === 'object' &&
    value !== null &&
    'index' in value &&
    typeof value.index === 'number' &&
    'delta' in value &&
    typeof value.delta === 'object' &&
    value.delta !== null
  );
}
