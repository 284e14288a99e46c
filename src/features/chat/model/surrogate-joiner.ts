/**
 * Joins pieces so that none ends within a character: models cut within surrogate pairs too, and half of one can neither
 * be stored nor logged, so what followers were shown would not be what is stored.
 */
export class SurrogateJoiner {
  /** The first half of a pair whose second one has not come yet. */
  private half = '';

  /** The whole characters that a piece completes. */
  after(piece: string): string {
    const text = this.half + piece;
    this.half = /[\ud800-\udbff]$/.exec(text)?.[0] ?? '';
    return text.slice(0, text.length - this.half.length).toWellFormed();
  }
}
