import { EventStreamReader } from '../../../common/event-stream.js';
import { type ChatChunk, ProviderError, type ProviderEvent } from '../../port/index.js';
import { toProviderErrorInStream } from './openai-errors.js';

/**
 * The chunks of a Chat Completions stream.
 * Wire: `data:` events with a `chat.completion.chunk` each, one finish reason a choice, at last `[DONE]`, which some
 * hosts leave out. https://platform.openai.com/docs/api-reference/chat-streaming
 *
 * @throws ProviderError where the stream carries an error, or ends before every choice has a finish reason
 */
export async function* readChatStream(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<ProviderEvent> {
  const reader = new EventStreamReader();
  const progress = new Progress();
  for await (const piece of bytes) {
    for (const frame of reader.push(piece)) {
      if (frame.data === '[DONE]') {
        progress.assertComplete();
        return;
      }
      yield progress.read(frame.data);
    }
  }
  for (const frame of reader.end()) {
    if (frame.data !== '[DONE]') yield progress.read(frame.data);
  }
  progress.assertComplete();
}

/** Which choices have begun and not ended. A stream that stops before all have is broken, however cleanly it closed. */
class Progress {
  private readonly open = new Set<number>();
  private finished = false;

  read(data: string): ProviderEvent {
    const value = parse(data);
    if (value === undefined)
      return { type: 'skipped', reason: 'One event of the stream was not valid JSON.' };
    if ('error' in value && value.error !== null) throw toProviderErrorInStream(value.error);
    if (!isChunk(value)) return { type: 'skipped', reason: 'One event of the stream was not a chunk.' };
    for (const choice of value.choices) {
      if (typeof choice.finish_reason === 'string') {
        this.open.delete(choice.index);
        this.finished = true;
      } else {
        this.open.add(choice.index);
      }
    }
    return { type: 'chunk', chunk: value };
  }

  assertComplete(): void {
    if (this.finished && this.open.size === 0) return;
    throw new ProviderError(
      'broken_answer',
      'The provider ended the answer without saying that it is complete.',
    );
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
