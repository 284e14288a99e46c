import { setImmediate as nextTick } from 'node:timers/promises';
import { ChunkAssembler } from './chunk-assembler.js';
import type { ChunkDraft } from './chunk-draft.js';
import { CsvReader } from './csv-reader.js';
import { ProseReader } from './prose-reader.js';
import type { UnitReader } from './text-unit.js';

export type { ChunkDraft } from './chunk-draft.js';

/** Version of the rules by which chunks are made. */
export const CHUNKER_VERSION = 1;

/** Default of the maximum tokens of a chunk, and the bounds of the setting. */
export const CHUNK_TOKENS = { default: 800, min: 100, max: 4096 } as const;

/** Default of the tokens that two neighbors share; the maximum is half of a chunk. */
export const CHUNK_OVERLAP_TOKENS = 400;

/** Maximum time without a break for other work of the process, in milliseconds. */
const SLICE_MS = 15;

/** Kind of a text, which decides about what is a heading and what is a table. */
export type ChunkingFormat = 'text' | 'markdown' | 'csv' | 'html' | 'pdf' | 'docx' | 'json';

/** The way in which texts are split. */
export interface ChunkingOptions {
  readonly maxTokens: number;
  /** At most half of the maximum. Rows of CSV files never overlap: each has its header instead. */
  readonly overlapTokens: number;
  readonly format: ChunkingFormat;
}

/** A part of a page, which never splits a character. */
export interface ChunkedPart {
  readonly page: number;
  readonly text: string;
  /** False if another part of the same page follows. */
  readonly isLast: boolean;
}

/** The extraction writes the headings of these formats as in Markdown. */
const WITH_HEADINGS: readonly ChunkingFormat[] = ['markdown', 'html', 'docx'];

/**
 * Splits pages into chunks that end at headings, paragraphs, lines or sentences, whichever is the strongest near the
 * maximum. No chunk is of two pages. All text but white space is in a chunk. Holds a chunk and a part of a page in
 * memory, and lets other work of the process run in between.
 */
export async function* chunkPages(
  parts: AsyncIterable<ChunkedPart>,
  options: ChunkingOptions,
): AsyncGenerator<ChunkDraft> {
  let ordinal = 0;
  let sliceEnd = performance.now() + SLICE_MS;
  let page: PageChunker | undefined;
  for await (const part of parts) {
    page ??= new PageChunker(part.page, options);
    for (const chunk of page.readChunks(part)) {
      yield { ordinal, ...chunk };
      ordinal += 1;
      if (performance.now() < sliceEnd) continue;
      await nextTick();
      sliceEnd = performance.now() + SLICE_MS;
    }
    if (part.isLast) page = undefined;
  }
}

/** Splits one page. */
class PageChunker {
  private readonly reader: UnitReader;
  private readonly assembler: ChunkAssembler;

  constructor(page: number, { maxTokens, overlapTokens, format }: ChunkingOptions) {
    const isCsv = format === 'csv';
    this.assembler = new ChunkAssembler(page, maxTokens, isCsv ? 0 : overlapTokens);
    this.reader = isCsv
      ? new CsvReader(maxTokens)
      : new ProseReader(maxUnitTokens(maxTokens, overlapTokens), WITH_HEADINGS.includes(format));
  }

  *readChunks({ text, isLast }: ChunkedPart): Generator<Omit<ChunkDraft, 'ordinal'>> {
    for (const unit of this.reader.readUnits(text, isLast)) yield* this.assembler.addUnit(unit);
    if (isLast) yield* this.assembler.finish();
  }
}

/** Returns the tokens of the longest unit: small enough that chunks fill up and overlap nearly as asked. */
function maxUnitTokens(maxTokens: number, overlapTokens: number): number {
  const quarter = Math.floor(maxTokens / 4);
  return overlapTokens === 0 ? quarter : Math.max(16, Math.min(quarter, Math.floor(overlapTokens / 2)));
}
