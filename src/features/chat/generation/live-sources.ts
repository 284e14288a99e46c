import { untilAborted } from '../../../common/until-aborted.js';
import { type CitationFilter, createCitationFilter } from '../../rag/index.js';
import type { AnswerSources } from '../model/answer-sources.js';
import type { GenerationSpec } from '../model/turn.js';

/** The sources of an answer while it is generated, and the markers in its text that name them. */
export class LiveSources {
  private found: { readonly count: number; readonly read: () => Promise<AnswerSources> } | undefined;
  /** Removes markers of sources that do not exist; undefined if the text has no markers. */
  private filter: CitationFilter | undefined;
  /** Resolves once the sources are known, or never will be. */
  private readonly known = Promise.withResolvers<null>();

  constructor(private readonly spec: Pick<GenerationSpec, 'retrieval' | 'parameters'>) {}

  /**
   * Sets the sources.
   * @param read reads them for each follower, because their texts may be deleted meanwhile
   */
  set(count: number, read: () => Promise<AnswerSources>): void {
    this.found = { count, read };
    this.restart();
    this.known.resolve(null);
  }

  /** Returns the sources once they are known; undefined if the answer has none. */
  async read(signal: AbortSignal): Promise<AnswerSources | undefined> {
    if (this.spec.retrieval !== undefined) await untilAborted(this.known.promise, signal);
    return this.found?.read();
  }

  /** Adds a piece of the text; returns what can be shown. */
  checkText(piece: string): string {
    return this.filter?.push(piece) ?? piece;
  }

  /** Returns what was held back because it could have become a marker. */
  endText(): string {
    return this.filter?.end() ?? '';
  }

  /** Begins a new text of the same sources. */
  restart(): void {
    this.filter = this.found && createCitationFilter(this.found.count, this.spec.parameters);
  }

  /** Ends the wait for sources that will never be known. */
  end(): void {
    this.known.resolve(null);
  }
}
