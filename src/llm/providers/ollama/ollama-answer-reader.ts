import {
  type ChatChunk,
  type ChatDelta,
  type CompletionUsage,
  getField,
  type FinishReason,
  parseReply,
  ProviderError,
  type ProviderEvent,
  parseReplyCount,
  invalidResponseError,
} from '../../port/index.js';
import { readOllamaText, readThinking, toOllamaArguments } from './ollama-answer-parts.js';
import { toOllamaStreamError } from './ollama-errors.js';
import { OLLAMA } from './ollama-messages.js';

/** The translation of a part of an answer, without the original text. */
export type ChunkEvent = Exclude<ProviderEvent, { type: 'relayed' }>;

const BROKEN_JSON: ChunkEvent = { type: 'skipped', reason: 'A line of the stream was not valid JSON.' };
const NO_ANSWER: ChunkEvent = {
  type: 'skipped',
  reason: 'A line of the stream was not part of an answer.',
};
const NO_TOOL_CALL: ChunkEvent = { type: 'skipped', reason: 'A tool call of the answer names no tool.' };

type Delta = ChatDelta & { reasoning_content?: string };

/** The metadata of all chunks of an answer, which the protocol does not contain. */
export interface OllamaAnswerMetadata {
  readonly id: string;
  /** Unix time in seconds. */
  readonly created: number;
  readonly model: string;
  /** Creates an id for a tool call to which the server gave none. */
  readonly newCallId: () => string;
}

/**
 * Reads the objects of an answer of `/api/chat` or `/api/generate`, in order.
 * Protocol: each object is a piece of the message; the last has `done: true`, its reason and the token counts.
 * Tool calls are not split. An error is an object of its own, `{"error": "…"}`. `/api/generate` has the pieces
 * at the top level, without a message around them.
 * https://github.com/ollama/ollama/blob/main/docs/api.md#generate-a-chat-completion
 */
export class OllamaAnswerReader {
  private begun = false;
  /** The error for the first text that was not part of an answer. */
  private unread: ProviderError | undefined;
  private toolCalls = 0;
  private thinking = '';
  /** True once the last object was read; anything after it is ignored. */
  done = false;

  constructor(private readonly head: OllamaAnswerMetadata) {}

  /**
   * Converts the text of one object to events.
   * @throws ProviderError if it is an error
   */
  *read(text: string): Generator<ChunkEvent, void> {
    if (this.done || text.trim() === '') return;
    const value = this.parse(text);
    if (value === undefined) {
      yield BROKEN_JSON;
      return;
    }
    if ('error' in value && value.error !== null) throw toOllamaStreamError(value.error);
    const message = objectField(value, 'message') ?? generatedMessage(value);
    const done = getField(value, 'done') === true;
    if (message === undefined && !done) {
      this.unread ??= invalidResponseError("it is not an answer in Ollama's API format");
      yield NO_ANSWER;
      return;
    }
    if (!this.begun) {
      this.begun = true;
      yield this.chunk({ role: 'assistant', content: '' });
    }
    if (message !== undefined) yield* this.readMessage(message);
    if (done) yield* this.finish(value);
  }

  /**
   * Ends the answer.
   * @throws ProviderError if the answer is not complete
   */
  end(): void {
    if (this.done) return;
    if (!this.begun && this.unread !== undefined) throw this.unread;
    throw new ProviderError('broken_answer', 'The provider ended the stream before the answer was complete.');
  }

  private parse(text: string): object | undefined {
    try {
      const value = parseReply(text);
      if (typeof value === 'object' && value !== null) return value;
      this.unread ??= invalidResponseError('it is not an object');
    } catch (error) {
      if (!(error instanceof ProviderError)) throw error;
      this.unread ??= error;
    }
    return undefined;
  }

  private *readMessage(message: object): Generator<ChunkEvent, void> {
    const thinking =
      readOllamaText(getField(message, 'thinking')) + readThinking(getField(message, 'content'));
    const content = readOllamaText(getField(message, 'content'));
    if (thinking !== '') {
      this.thinking += thinking;
      yield this.chunk({ reasoning_content: thinking });
    }
    if (content !== '') yield this.chunk({ content });
    const calls = getField(message, 'tool_calls') ?? [];
    for (const call of Array.isArray(calls) ? calls : [calls]) yield* this.readToolCall(call);
  }

  private *readToolCall(call: unknown): Generator<ChunkEvent, void> {
    // Proxies that translate to this protocol may omit the object around the name and the arguments.
    const called = objectField(call, 'function') ?? call;
    const name = getField(called, 'name');
    if (typeof name !== 'string' || name === '') {
      yield NO_TOOL_CALL;
      return;
    }
    const index = this.toolCalls;
    this.toolCalls += 1;
    const given = getField(call, 'id');
    const id = typeof given === 'string' && given !== '' ? given : this.head.newCallId();
    yield this.chunk({
      tool_calls: [{ index, id, type: 'function', function: { name, arguments: '' } }],
    });
    const text = toOllamaArguments(getField(called, 'arguments'));
    yield this.chunk({ tool_calls: [{ index, function: { arguments: text } }] });
  }

  private *finish(value: object): Generator<ChunkEvent, void> {
    this.done = true;
    // The only data that a canonical request has no field for: thinking that continues after the calls.
    const delta: Delta =
      this.toolCalls > 0 && this.thinking !== ''
        ? { provider_data: { provider: OLLAMA, blocks: { thinking: this.thinking } } }
        : {};
    yield this.chunk(delta, this.finishReason(getField(value, 'done_reason')));
    const usage = usageOf(value);
    if (usage !== undefined) yield { type: 'chunk', chunk: { ...this.common(), choices: [], usage } };
  }

  /**
   * Returns the finish reason. `load` and `unload` answer requests without messages, and servers of 2024 send
   * no reason at all: all of these count as a stop.
   */
  private finishReason(reason: unknown): FinishReason {
    if (this.toolCalls > 0) return 'tool_calls';
    return reason === 'length' ? 'length' : 'stop';
  }

  private chunk(delta: Delta, finishReason: FinishReason | null = null): ChunkEvent {
    const choices = [{ index: 0, delta, finish_reason: finishReason }];
    return { type: 'chunk', chunk: { ...this.common(), choices } };
  }

  private common(): Omit<ChatChunk, 'choices'> {
    const { id, created, model } = this.head;
    return { id, object: 'chat.completion.chunk', created, model };
  }
}

/** Converts a piece of `/api/generate` to a message. */
function generatedMessage(value: object): object | undefined {
  const [content, thinking] = [getField(value, 'response'), getField(value, 'thinking')];
  const says = (value: unknown): boolean => typeof value === 'string' || Array.isArray(value);
  return says(content) || says(thinking) ? { content, thinking } : undefined;
}

/**
 * Returns the usage; undefined if the server does not report the prompt's tokens, as older ones do not if the
 * prompt was cached.
 */
function usageOf(value: object): CompletionUsage | undefined {
  const prompt = parseReplyCount(getField(value, 'prompt_eval_count'));
  // Absent if it is 0.
  const completion = parseReplyCount(getField(value, 'eval_count') ?? 0);
  if (prompt === undefined || completion === undefined) return undefined;
  return { prompt_tokens: prompt, completion_tokens: completion, total_tokens: prompt + completion };
}

function objectField(value: unknown, name: string): object | undefined {
  const found = getField(value, name);
  return typeof found === 'object' && found !== null ? found : undefined;
}
