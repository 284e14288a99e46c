import { LineReader } from '../../../common/line-reader.js';
import type { ProviderEvent } from '../../port/index.js';
import { OllamaAnswerReader, type OllamaAnswerHead } from './from-ollama-answer.js';

/** Reads the bytes of a streamed answer: one JSON object a line. */
export class OllamaStreamReader {
  private readonly lines: LineReader;
  private readonly answer: OllamaAnswerReader;
  private readonly relays: boolean;

  /** @param options.relays whether each line is given as it came, beside what it means */
  constructor(head: OllamaAnswerHead, options: { readonly relays?: boolean } = {}) {
    this.relays = options.relays ?? false;
    this.lines = new LineReader({ keepEnds: this.relays });
    this.answer = new OllamaAnswerReader(head);
  }

  /** True once the last object was read; what comes after it means nothing. */
  get done(): boolean {
    return this.answer.done;
  }

  /**
   * The events that the bytes complete. Those before an error come before it is thrown.
   * @throws ProviderError where the stream carries an error
   */
  *push(bytes: Uint8Array): Generator<ProviderEvent, void> {
    for (const line of this.lines.push(bytes)) yield* this.read(line);
  }

  /**
   * The end of the bytes.
   * @throws ProviderError where the answer is not complete
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
    // What we cannot read may still mean something to the caller, who speaks the wire: it is passed on.
    const chunks = Array.from(this.answer.read(line), (event) =>
      event.type === 'chunk' ? [event.chunk] : [],
    ).flat();
    yield { type: 'relayed', name: '', raw: line, chunks };
  }
}
