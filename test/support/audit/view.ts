import { at, type StreamEvent } from '../client.js';
import type { Journal } from './journal.js';

/** A text that a client saw, with times. */
export interface SeenText {
  readonly attempt: number;
  readonly text: string;
  /**
   * Times at which it reached each length, in milliseconds of this process; the first entry is the empty
   * start.
   */
  readonly growth: readonly { readonly length: number; readonly at: number }[];
  /** True if it was dropped because the server restarted the same attempt. */
  readonly takenBack: boolean;
}

/** One client's view of an answer over any number of connections, updated as by a front end. */
export class View {
  /** Undefined until the first event. */
  #attempt: number | undefined;
  #text = '';
  #growth: { readonly length: number; readonly at: number }[] = [];
  readonly #dropped: SeenText[] = [];
  #finished = false;
  #failure: unknown;
  #lastEventId: string | undefined;

  constructor(
    readonly answerId: string,
    readonly name: string,
    private readonly journal: Journal,
  ) {}

  /** True if the client has seen how the answer ended. */
  get ended(): boolean {
    return this.#finished || this.#failure !== undefined;
  }

  /** True if the client has seen any event: an error instead of an answer has no text. */
  get begun(): boolean {
    return this.#attempt !== undefined;
  }

  /** True if the client has seen the answer complete. */
  get finished(): boolean {
    return this.#finished;
  }

  /** The error code that the client received. */
  get failure(): unknown {
    return this.#failure;
  }

  get lastEventId(): string | undefined {
    return this.#lastEventId;
  }

  get text(): string {
    return this.#text;
  }

  /** Every text that was ever displayed, the current one last. */
  get seen(): readonly SeenText[] {
    return this.#attempt === undefined ? [] : [...this.#dropped, this.#current(this.#attempt, false)];
  }

  /** Adds a line to the history of the answer. */
  note(what: string): void {
    this.journal.note(this.answerId, `${this.name}: ${what}`);
  }

  violate(what: string): void {
    this.journal.violate(this.answerId, `${this.name}: ${what}`);
  }

  /** Records an answer received as JSON. */
  takeWhole(text: string): void {
    this.#begin(1);
    this.#append(text);
    this.#finished = true;
    this.note(`got the whole answer of ${text.length}`);
  }

  /** Records an error instead of an answer. */
  fail(code: unknown): void {
    this.#failure = code ?? 'unknown';
    this.note(`received the failure ${String(code)} at ${this.#lastEventId ?? 'the beginning'}`);
  }

  take({ id, data }: StreamEvent): void {
    if (data === '[DONE]') {
      if (!this.#finished) this.violate('[DONE] came before the end');
      return;
    }
    if (this.ended) this.violate('an event came after the end');
    const error = at(data, 'error');
    if (error !== undefined) {
      this.fail(at(error, 'code'));
      return;
    }
    const [, attempt, offset] = /^(\d+)\.(\d+)$/.exec(id ?? '') ?? [];
    const delta = at(data, 'delta');
    if (attempt === undefined || offset === undefined || typeof delta !== 'string') {
      this.violate(`there is an event of an unknown form: ${id ?? ''} ${JSON.stringify(data)}`);
      return;
    }
    if (at(data, 'message_id') !== this.answerId) this.violate('there is an event of another answer');
    this.#place(at(data, 'restart') === true, Number(attempt), Number(offset), delta);
    this.#lastEventId = id;
    if (at(data, 'finished') === true) {
      this.#finished = true;
      this.note(`read to the end at ${id ?? ''}`);
    }
  }

  #place(restart: boolean, attempt: number, offset: number, delta: string): void {
    if (restart) {
      this.note(`restart at ${this.#attempt ?? 0}.${this.#text.length}, goes on with attempt ${attempt}`);
      const before = this.#attempt;
      if (before !== undefined) this.#dropped.push(this.#current(before, attempt <= before));
      this.#begin(attempt);
    } else if (this.#attempt === undefined) this.#begin(attempt);
    if (attempt !== this.#attempt)
      this.violate(`attempt ${attempt} follows ${String(this.#attempt)} without a restart`);
    if (offset - delta.length !== this.#text.length) {
      this.violate(`${delta.length} that end at ${offset} follow ${this.#text.length}`);
    }
    this.#append(delta);
  }

  #begin(attempt: number): void {
    this.#attempt = attempt;
    this.#text = '';
    this.#growth = [{ length: 0, at: performance.now() }];
  }

  #append(delta: string): void {
    if (delta === '') return;
    this.#text += delta;
    this.#growth.push({ length: this.#text.length, at: performance.now() });
  }

  #current(attempt: number, takenBack: boolean): SeenText {
    return { attempt, text: this.#text, growth: this.#growth, takenBack };
  }
}
