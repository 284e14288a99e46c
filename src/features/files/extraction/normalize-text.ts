import { ExtractionError } from './extraction-error.js';

/**
 * Returns the text in NFC, without NUL, byte order mark and lone surrogates (replaced by U+FFFD), its lines ended by LF
 * alone.
 */
export function normalizeText(text: string): string {
  const lines = text.replaceAll('\0', '').replace(/\r\n?/g, '\n');
  const unmarked = lines.startsWith('\uFEFF') ? lines.slice(1) : lines;
  return unmarked.toWellFormed().normalize('NFC');
}

/** Counts the characters of a document against the limit while its text is produced. */
export class CharacterBudget {
  /** @param left maximum characters, in UTF-16 units */
  constructor(private left: number) {}

  /** @throws ExtractionError with `too_large` when all texts together exceed the limit */
  spend(characters: number): void {
    this.left -= characters;
    if (this.left < 0) throw new ExtractionError('too_large');
  }
}
