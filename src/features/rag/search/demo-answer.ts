import { type AnswerSource, describeSource } from './answer-source.js';

const INTRODUCTION =
  'This is the demo model. It does not answer questions: these are the best passages of your documents. Configure a model provider for real answers.\n\n';

/** Prefix of the full names of the demo provider's models. */
const DEMO = 'demo/';

/** Maximum number of passages in an answer. */
const MAX_PASSAGES = 3;

/** Maximum length of a quotation, in UTF-16 units. */
const MAX_QUOTATION = 500;

/** Returns true for the full name of a model that only repeats its input. */
export function isDemoModel(model: string): boolean {
  return model.startsWith(DEMO);
}

/**
 * Returns the answer of the demo model, in pieces as they are streamed: the best passages, quoted and cited. The model
 * itself only repeats its input.
 */
export function toDemoAnswer(sources: readonly AnswerSource[]): {
  readonly pieces: readonly string[];
  readonly citations: readonly AnswerSource[];
} {
  const citations = sources.slice(0, MAX_PASSAGES);
  const passages = citations.map(
    (source) => `> ${quote(source)} [${source.index}]\n\n— ${withoutMarkers(describeSource(source))}\n\n`,
  );
  return { pieces: [INTRODUCTION, ...passages], citations };
}

/** Returns the beginning of a passage on one line. */
function quote({ hit: { text } }: AnswerSource): string {
  const line = withoutMarkers(text.replaceAll(/\s+/g, ' ').trim());
  if (line.length <= MAX_QUOTATION) return line;
  const beginning = line.slice(0, MAX_QUOTATION);
  // Do not split a surrogate pair.
  return `${beginning.isWellFormed() ? beginning : beginning.slice(0, -1)}…`;
}

/** Changes what looks like a citation: the numbers in a document are not those of the sources. */
function withoutMarkers(text: string): string {
  return text.replaceAll(/\[([\d, -]+)\]/g, '($1)');
}
