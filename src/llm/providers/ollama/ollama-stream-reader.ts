import { LineReader } from '../../../common/line-reader.js';
import type { ProviderEvent } from '../../port/index.js';
import { OllamaAnswerReader, type OllamaAnswerMetadata } from './ollama-answer-reader.js';

/** Reads the bytes of a streamed answer: one JSON object per line. */
export class OllamaStreamReader {
  private readonly lines: LineReader;
  private readonly answer: OllamaAnswerReader;
  private readonly relays: boolean;

  /** @param options.relays true to return each line unchanged, besides its translation */
  constructor(head: OllamaAnswerMetadata, options: { readonly relays?: boolean } = {}) {
    this.relays = options.relays ?? false;
    this.lines = new LineReader({ keepEnds: this.relays });
    this.answer = new OllamaAnswerReader(head);
  }

  /** True once the last object was read; anything after it is ignored. */
  get done(): boolean {
    return this.answer.done;
  }

  /**
   * Yields the events that the bytes complete. Those before an error are yielded before it is thrown.
   * @throws ProviderError if the stream contains an error
   */
  *push(bytes: Uint8Array): Generator<ProviderEvent, void> {
    for (const line of this.lines.push(bytes)) yield* this.read(line);
  }

  /**
   * Ends the stream.
   * @throws ProviderError if the answer is not complete
   */
  *end(): Generator<ProviderEvent, void> {
    for (const line of this.lines.end()) yield* this.read(line);
    this.answer.end();
  }

  private *read(line: string): Generator<ProviderEvent, void> {
    if (!this.relays) {
      yield* this.answer.read(line);
      return;
    }
    if (this.done) return;
    // The caller uses the protocol itself and may understand what we cannot read: it is passed on.
    const chunks = Array.from(this.answer.read(line), (event) =>
      event.type === 'chunk' ? [event.chunk] : [],
    ).flat();
    yield { type: 'relayed', eventName: '', raw: line, chunks };
  }
}
