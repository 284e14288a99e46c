/**
 * Joins pieces so that none ends within a surrogate pair. Models split pairs too, and half of one can be neither
 * stored nor logged, so followers would see text that differs from the stored text.
 */
export class SurrogateJoiner {
  /** The first half of a pair whose second half has not arrived yet. */
  private half = '';

  /** Returns the characters that a piece completes. */
  push(piece: string): string {
    const text = this.half + piece;
    this.half = /[\ud800-\udbff]$/.exec(text)?.[0] ?? '';
    return text.slice(0, text.length - this.half.length).toWellFormed();
  }
}
