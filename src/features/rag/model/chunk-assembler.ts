import type { ChunkDraft } from './chunk-draft.js';
import { fitTokens } from './split-text.js';
import { BOUNDARY, type BoundaryStrength, type TextUnit } from './text-unit.js';

/**
 * Share of the new text of a full chunk that must be before a boundary of each strength, so that the chunk ends there.
 * Measured with bench/retrieval/chunking.mjs.
 */
const MIN_FILL: readonly (readonly [BoundaryStrength, number])[] = [
  [BOUNDARY.heading, 0.4],
  [BOUNDARY.paragraph, 0.6],
  [BOUNDARY.line, 0.6],
  [BOUNDARY.sentence, 0.6],
  [BOUNDARY.wrap, 0.9],
  [BOUNDARY.none, 1],
];

/** A chunk without its number. */
type UnnumberedChunk = Omit<ChunkDraft, 'ordinal'>;

/** Assembles the units of a page to chunks. Holds the units of one chunk at a time. */
export class ChunkAssembler {
  private units: TextUnit[] = [];
  /** Tokens of these units. */
  private tokens = 0;
  /** Number of units at the beginning that the last chunk has too. */
  private shared = 0;
  private prefix = { context: '', text: '', tokens: 0 };

  constructor(
    private readonly page: number,
    private readonly maxTokens: number,
    private readonly overlapTokens: number,
  ) {}

  /** Adds the next unit; yields chunks that are full. */
  *addUnit(unit: TextUnit): Generator<UnnumberedChunk> {
    if (unit.isDetached) yield* this.finish();
    while (this.units.length > 0 && this.tokens + unit.tokens > this.capacity()) {
      if (this.shared < this.units.length) yield this.takeChunk(unit);
      // A smaller overlap is better than a chunk without new text.
      else this.dropUnits(1);
    }
    this.units.push(unit);
    this.tokens += unit.tokens;
  }

  /** Yields the last chunk. */
  *finish(): Generator<UnnumberedChunk> {
    if (this.shared < this.units.length) yield this.toChunk(this.units.length);
    this.units = [];
    this.tokens = 0;
    this.shared = 0;
  }

  private takeChunk(next: TextUnit): UnnumberedChunk {
    const end = this.findEnd(next);
    const chunk = this.toChunk(end);
    const start = this.findOverlap(end);
    this.shared = end;
    this.dropUnits(start);
    return chunk;
  }

  /** Returns the number of units of the chunk: up to the strongest boundary that leaves it full enough. */
  private findEnd(next: TextUnit): number {
    const { units, shared } = this;
    const added = sumTokens(units.slice(shared));
    let end = units.length;
    let strongest: BoundaryStrength = next.boundary;
    let fill = added;
    for (let index = units.length - 1; index > shared; index -= 1) {
      const unit = units[index];
      if (unit === undefined) break;
      fill -= unit.tokens;
      if (unit.boundary <= strongest || fill < added * minFillOf(unit.boundary)) continue;
      strongest = unit.boundary;
      end = index;
    }
    return end;
  }

  /** Returns the first unit of the next chunk: as many as the overlap has room for, from a whole sentence on. */
  private findOverlap(end: number): number {
    let start = end;
    let wholeStart = end;
    let tokens = 0;
    // Not the whole chunk, so that each begins after the one before it.
    for (let index = end - 1; index > 0; index -= 1) {
      const unit = this.units[index];
      if (unit === undefined) break;
      tokens += unit.tokens;
      if (tokens > this.overlapTokens) break;
      start = index;
      if (unit.boundary >= BOUNDARY.sentence) wholeStart = index;
    }
    const whole = sumTokens(this.units.slice(wholeStart, end));
    return whole * 2 >= this.overlapTokens ? wholeStart : start;
  }

  private dropUnits(count: number): void {
    this.tokens -= sumTokens(this.units.slice(0, count));
    this.units = this.units.slice(count);
    this.shared -= count;
  }

  /** Returns the tokens that the units of the present chunk may have. */
  private capacity(): number {
    return this.maxTokens - this.prefixOf(this.units[0]).tokens;
  }

  private prefixOf(unit: TextUnit | undefined): { readonly text: string; readonly tokens: number } {
    const context = unit?.context ?? '';
    if (this.prefix.context !== context)
      this.prefix = { context, ...fitTokens(context, Math.floor(this.maxTokens / 2)) };
    return this.prefix;
  }

  private toChunk(end: number): UnnumberedChunk {
    const units = this.units.slice(0, end);
    const [first] = units;
    const text = units.map((unit, index) => (index === 0 ? unit.text : unit.gap + unit.text)).join('');
    const start = first?.start ?? 0;
    const prefix = this.prefixOf(first);
    const rows = rowsOf(units);
    return {
      page: this.page,
      start,
      end: start + text.length,
      text,
      prefix: prefix.text,
      tokens: prefix.tokens + sumTokens(units),
      ...(rows && { rows }),
    };
  }
}

function minFillOf(boundary: BoundaryStrength): number {
  return MIN_FILL.find(([strength]) => strength === boundary)?.[1] ?? 1;
}

function sumTokens(units: readonly TextUnit[]): number {
  return units.reduce((sum, { tokens }) => sum + tokens, 0);
}

/** Returns the rows of a table that units belong to, without the header. */
function rowsOf(units: readonly TextUnit[]): ChunkDraft['rows'] | undefined {
  const rows = units.flatMap(({ row }) => (row === undefined || row === 0 ? [] : [row]));
  const [first] = rows;
  const last = rows.at(-1);
  return first === undefined || last === undefined ? undefined : { first, last };
}
