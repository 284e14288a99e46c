/** BM25 over all documents of a set, in memory: the best that the search in the database can do. */
export class MemoryIndex {
  /**
   * @param {{ termFrequencies: Function, queryTerms: Function, bm25Score: Function, inverseDocumentFrequency: Function, RelevantPassages?: Function }} model
   * @param {readonly { id: string, text: string }[]} documents
   */
  constructor(model, documents) {
    this.model = model;
    this.postings = new Map();
    this.lengths = [];
    this.ids = documents.map(({ id }) => id);
    for (const [index, { text }] of documents.entries()) {
      const { frequencies, length } = model.termFrequencies(text);
      this.lengths.push(length);
      for (const [term, frequency] of frequencies) {
        const list = this.postings.get(term) ?? [];
        this.postings.set(term, list);
        list.push([index, frequency]);
      }
    }
    const total = this.lengths.reduce((sum, length) => sum + length, 0);
    this.corpus = { count: documents.length, averageLength: total / documents.length };
  }

  /** Returns the ids of the best documents. @param {string} question */
  search(question, depth = 10) {
    const { bm25Score, inverseDocumentFrequency, queryTerms } = this.model;
    const scores = new Map();
    for (const forms of Map.groupBy(queryTerms(question), ({ word }) => word).values()) {
      const best = new Map();
      for (const { term, weight } of forms) {
        const list = this.postings.get(term) ?? [];
        const idf = inverseDocumentFrequency(this.corpus, list.length);
        for (const [index, frequency] of list) {
          const score = weight * bm25Score(frequency, this.lengths[index], idf, this.corpus);
          if (score > (best.get(index) ?? 0)) best.set(index, score);
        }
      }
      for (const [index, score] of best) scores.set(index, (scores.get(index) ?? 0) + score);
    }
    return Array.from(scores)
      .sort((one, other) => other[1] - one[1])
      .slice(0, depth)
      .map(([index]) => this.ids[index]);
  }

  /**
   * Returns the positions of the documents with any term of a question, and of those that are relevant to it.
   * @param {string} question
   */
  match(question) {
    const { queryTerms, RelevantPassages } = this.model;
    const found = new Set();
    const passages = new RelevantPassages();
    for (const term of queryTerms(question))
      for (const [index] of this.postings.get(term.term) ?? []) {
        found.add(index);
        passages.add(index, term);
      }
    return { found, relevant: passages.keys };
  }
}
