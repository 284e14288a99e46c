import { createHash } from 'node:crypto';
import type { Random } from './random.js';

/** The content of a version of a document. */
export interface AuditText {
  /** Its name in the journal. */
  readonly name: string;
  /** The bytes that are sent, and the text that must be stored. */
  readonly text: string;
  /** The unique word of each paragraph; empty if it has no text that can be extracted. */
  readonly words: readonly string[];
}

const FILLERS = [
  'lorem',
  'ipsum dolor',
  'Regen fällt',
  'đường phố',
  '雨が降る',
  '😀',
  'a "quoted" \\ word',
  'line\nbreak',
  'See [3] and <b>data</b>.',
  'The end. Another sentence!',
  'tab\tand  spaces',
];

/** Pattern of the unique words, of letters and digits only. */
const UNIQUE_WORD = /v(\d+)p\d+q/g;

/** Creates the texts of a run. No two have a word in common that has this pattern. */
export class AuditTexts {
  readonly #texts: AuditText[] = [];
  readonly #byHash = new Map<string, AuditText>();

  get all(): readonly AuditText[] {
    return this.#texts;
  }

  /** Creates a text: mostly of some paragraphs, sometimes of more chunks than one request embeds. */
  create(random: Random): AuditText {
    const count = random.chance(0.06) ? random.whole(100, 160) : random.whole(1, 7);
    const number = this.#texts.length;
    const words = Array.from({ length: count }, (_, index) => `v${number}p${index}q`);
    const text = words.map((word) => `${word} ${fillersOf(random)}`).join('\n\n');
    return this.#add({ name: `text ${number}`, text, words });
  }

  /** Creates a text whose form says PDF, and from which nothing can be extracted. */
  createDamaged(): AuditText {
    const number = this.#texts.length;
    return this.#add({ name: `text ${number} (damaged)`, text: `%PDF-1.7\nv${number}p0q no PDF`, words: [] });
  }

  /** Returns the texts whose words a passage has. */
  in(passage: string): ReadonlySet<AuditText | undefined> {
    return new Set(Array.from(passage.matchAll(UNIQUE_WORD), ([, number]) => this.#texts[Number(number)]));
  }

  /** @param hash SHA-256 of the bytes, in hexadecimal */
  byHash(hash: string): AuditText | undefined {
    return this.#byHash.get(hash);
  }

  #add(text: AuditText): AuditText {
    this.#texts.push(text);
    this.#byHash.set(createHash('sha256').update(text.text).digest('hex'), text);
    return text;
  }
}

/** Returns true if the text can be extracted. */
export function isReadable({ words }: AuditText): boolean {
  return words.length > 0;
}

function fillersOf(random: Random): string {
  const count = random.chance(0.1) ? random.whole(100, 200) : random.whole(5, 50);
  return Array.from({ length: count }, () => random.pick(FILLERS)).join(' ');
}
