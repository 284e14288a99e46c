import { type EventFrame, EventStreamReader } from '../../../common/event-stream.js';
import {
  isErrorReport,
  parseReply,
  ProviderError,
  type ProviderEvent,
  completionToChunks,
  toHostError,
  invalidResponseError,
} from '../../port/index.js';
import { ResponseSniffer } from '../../transport/response-sniffer.js';
import {
  type AnswerMetadata,
  ChunkNormalizer,
  newAnswerMetadata,
  type NormalizedChunk,
} from './chunk-normalizer.js';
import { readCompletion } from './completion-reader.js';

const BROKEN_JSON: ProviderEvent = { type: 'skipped', reason: 'An event of the stream was not valid JSON.' };
const NO_CHUNK: ProviderEvent = { type: 'skipped', reason: 'An event of the stream was not a chunk.' };
const NAMELESS_CALL: ProviderEvent = {
  type: 'skipped',
  reason: 'A tool call of the answer names no tool.',
};

const END_MARKER = '[DONE]';
const EMPTY_LINE = Buffer.from('\n\n');
const END_MARKER_BEGINS = END_MARKER.charCodeAt(0);

/**
 * Parses the bytes of a streamed answer, and converts it to the canonical format.
 * Format: `data:` events with one `chat.completion.chunk` each, one finish reason per choice, finally `[DONE]`.
 * Some hosts omit one of the two. https://platform.openai.com/docs/api-reference/chat-streaming
 * A host that cannot stream responds with a single JSON body: it becomes an answer in one piece.
 */
export class ChatStreamReader {
  private readonly reader = new EventStreamReader();
  private readonly beginning = new ResponseSniffer();
  private readonly chunks: ChunkNormalizer;
  /** True once a chunk has arrived. */
  private begun = false;
  /** True once an event that is not a chunk has arrived. */
  private skipped = false;
  /** True once `[DONE]` has arrived; anything after it is ignored. */
  done = false;

  /** @param head metadata for chunks that have no id, time or model of their own */
  constructor(private readonly head: AnswerMetadata = newAnswerMetadata('')) {
    this.chunks = new ChunkNormalizer(head);
  }

  /**
   * Yields the events that the bytes complete, one by one: those before an error are yielded before it is
   * thrown.
   * @throws ProviderError if the stream contains an error
   */
  *push(bytes: Uint8Array): Generator<ProviderEvent> {
    if (this.beginning.takes(bytes)) return;
    for (const frame of this.reader.push(bytes)) yield* this.read(frame);
  }

  /**
   * Ends the stream.
   * @throws ProviderError if a choice has no finish reason
   */
  *end(): Generator<ProviderEvent> {
    const document = this.beginning.document();
    if (document !== undefined) yield* this.readDocument(document);
    else {
      for (const frame of this.reader.end()) yield* this.read(frame);
      // Some hosts omit the empty line after the last event.
      for (const frame of this.reader.push(EMPTY_LINE)) if (isWhole(frame.data)) yield* this.read(frame);
    }
    if (this.chunks.hasNamelessCalls) yield NAMELESS_CALL;
    if (this.done) yield* toEvents(this.chunks.missingFinalChunk());
    if (this.chunks.complete) return;
    if (!this.begun && (this.skipped || this.beginning.isForeign)) {
      throw invalidResponseError(
        this.skipped ? 'none of its events is a chunk' : 'it is not an event stream',
      );
    }
    throw new ProviderError('broken_answer', 'The provider ended the stream before the answer was complete.');
  }

  private *read({ event, data }: EventFrame): Generator<ProviderEvent> {
    if (this.done || data === '') return;
    if (data.charCodeAt(0) === END_MARKER_BEGINS && data.trimEnd() === END_MARKER) {
      this.done = true;
      return;
    }
    const value = parse(data);
    if (value === undefined) {
      if (event === 'error') throw toHostError({ body: data });
      this.skipped = true;
      yield BROKEN_JSON;
    } else {
      if (event === 'error' || isErrorReport(value)) throw toHostError({ body: value });
      const chunk = this.chunks.normalize(value, data);
      this.begun ||= chunk !== undefined;
      this.skipped ||= chunk === undefined;
      if (chunk === undefined) yield NO_CHUNK;
      else yield { type: 'chunk', ...chunk };
    }
  }

  /**
   * Reads the answer of a host that does not stream, or streams without events: one JSON value, or one per
   * line.
   */
  private *readDocument(text: string): Generator<ProviderEvent> {
    const lines = linesOf(text);
    if (lines !== undefined) {
      for (const data of lines) yield* this.read({ event: '', data });
      return;
    }
    for (const chunk of completionToChunks(readCompletion(parseReply(text), this.head))) {
      yield* toEvents(this.chunks.normalize(chunk, JSON.stringify(chunk)));
    }
  }
}

/** Returns true if a body is a stream without events: one JSON value per line, and perhaps an end marker. */
export function isLineStream(text: string): boolean {
  return linesOf(text) !== undefined;
}

/** Returns the lines of a stream without events; undefined for any other body. */
function linesOf(text: string): string[] | undefined {
  const lines = text
    .split('\n')
    .map((line) => line.trim().replace(/^data:\s*/, ''))
    .filter((line) => line !== '');
  return lines.length > 1 && lines.every(isWhole) ? lines : undefined;
}

/** Returns true if the data of an event was not cut off. */
function isWhole(data: string): boolean {
  return data.trimEnd() === END_MARKER || parse(data) !== undefined;
}

function toEvents(chunk: NormalizedChunk | undefined): ProviderEvent[] {
  return chunk === undefined ? [] : [{ type: 'chunk', ...chunk }];
}

function parse(data: string): object | undefined {
  try {
    const value: unknown = JSON.parse(data);
    return typeof value === 'object' && value !== null ? value : undefined;
  } catch {
    return undefined;
  }
}
