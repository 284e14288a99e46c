/**
 * A text that grows piece by piece. Its end can be read without joining the whole text, which would take quadratic
 * time for a long answer.
 */
export class TextBuffer {
  private pieces: { readonly start: number; readonly text: string }[] = [];

  /** Length in UTF-16 units. */
  length = 0;

  append(text: string): void {
    this.pieces.push({ start: this.length, text });
    this.length += text.length;
  }

  /** Returns the text between two offsets. */
  slice(from: number, to: number): string {
    if (from >= to) return '';
    let first = this.pieces.length - 1;
    while (first > 0 && (this.pieces[first]?.start ?? 0) > from) first -= 1;
    const { start } = this.pieces[first] ?? { start: 0 };
    let text = '';
    for (let index = first; index < this.pieces.length; index += 1) {
      const piece = this.pieces[index];
      if (piece === undefined || piece.start >= to) break;
      text += piece.text;
    }
    return text.slice(from - start, to - start);
  }

  /** Returns the whole text, and stores it as a single piece from now on. */
  toString(): string {
    if (this.pieces.length > 1) {
      this.pieces = [{ start: 0, text: this.pieces.map(({ text }) => text).join('') }];
    }
    return this.pieces[0]?.text ?? '';
  }
}
