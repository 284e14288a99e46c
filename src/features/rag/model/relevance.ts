/**
 * Part of a question that a term is: a content word (`content`); the beginning that its inflected forms share in languages
 * without a stemmer (`inflection`); a form or a part of one that few other words share (`form`), or that many do, such as
 * a single character of a name (`fragment`); or a function word (`function`).
 */
export type TermKind = 'content' | 'inflection' | 'form' | 'fragment' | 'function';

/** Degree to which a passage with a term has to do with the question. */
export type Evidence = 'strong' | 'weak' | 'none';

/** A term of a question that a passage has. */
export interface TermMatch {
  /** Position of the word in the question. */
  readonly word: number;
  readonly evidence: Evidence;
}

/**
 * Collects the passages that are relevant to a question by their words: those that have strong evidence, or weak evidence
 * of two words.
 */
export class RelevantPassages<Key> {
  private readonly relevant = new Set<Key>();
  /** The first word with weak evidence of each passage. */
  private readonly weak = new Map<Key, number>();

  /** The keys of the relevant passages. */
  get keys(): ReadonlySet<Key> {
    return this.relevant;
  }

  /** Adds a term that a passage has. */
  add(key: Key, { word, evidence }: TermMatch): void {
    if (evidence === 'none') return;
    if (evidence === 'strong') {
      this.relevant.add(key);
      return;
    }
    const first = this.weak.get(key);
    if (first === undefined) this.weak.set(key, word);
    else if (first !== word) this.relevant.add(key);
  }
}

/** A term of a question whose evidence is sought. */
interface JudgedTerm {
  readonly word: number;
  readonly kind: TermKind;
  /** The word that a term with a position of its own is a part of. */
  readonly partOf?: number | undefined;
}

/**
 * Returns the terms of a question with their evidence. Content words and their inflections are strong evidence, and their
 * other forms are weak. If there is a single content word, its forms, parts and fragments are strong too; if there is none,
 * those of all words are; and if there are only function words, these are.
 */
export function withEvidence<Term extends JudgedTerm>(
  terms: readonly Term[],
): (Term & { readonly evidence: Evidence })[] {
  const content = new Set(terms.flatMap(({ kind, word }) => (kind === 'content' ? [word] : [])));
  const hasOnlyFunctionWords = terms.every(({ kind }) => kind === 'function');
  const evidenceOf = ({ kind, word, partOf }: Term): Evidence => {
    if (content.size === 0) return kind !== 'function' || hasOnlyFunctionWords ? 'strong' : 'none';
    if (kind === 'content' || kind === 'inflection') return 'strong';
    if (kind !== 'function' && content.size === 1 && content.has(partOf ?? word)) return 'strong';
    return kind === 'form' ? 'weak' : 'none';
  };
  return terms.map((term) => ({ ...term, evidence: evidenceOf(term) }));
}
