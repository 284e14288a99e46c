/*
 * RETRIEVAL_DATA=… node bench/retrieval/lexical.mjs
 *
 * nDCG@10 and recall@10 of the lexical search in memory, for each set and for all languages of XQuAD in one collection:
 * what tokenizer and ranking can reach without a database.
 */
import { dataFolder, loadRetrievalSets, poolSets } from './datasets.mjs';
import { MemoryIndex } from './memory-index.mjs';
import { mean, ndcg, recall } from './metrics.mjs';

/** The best figures of BM25 with the tokenizer of each language: the goal is 0.97 of them. */
const references = {
  'xquad.en': 0.97,
  'xquad.vi': 0.959,
  'xquad.zh': 0.97,
  'xquad.th': 0.964,
  'limit-small': 0.992,
};

const modelFolder = new URL('../../dist/features/rag/model/', import.meta.url);
const model = {
  ...(await import(new URL('tokenizer.js', modelFolder).href)),
  ...(await import(new URL('bm25.js', modelFolder).href)),
};

function evaluate(index, questions) {
  const rankings = questions.map(({ text, relevant }) => ({ ranking: index.search(text), relevant }));
  return {
    ndcg: mean(rankings.map(({ ranking, relevant }) => ndcg(ranking, relevant))),
    recall: mean(rankings.map(({ ranking, relevant }) => recall(ranking, relevant))),
  };
}

const folder = dataFolder();
if (folder !== undefined) {
  const sets = await loadRetrievalSets(folder);
  const languages = sets.filter(({ name }) => name.startsWith('xquad.'));
  const pool = poolSets(languages);
  const pooledIndex = new MemoryIndex(model, pool.documents);
  console.log('set            nDCG@10  recall@10   goal  pooled nDCG@10   loss');
  for (const set of sets) {
    const alone = evaluate(new MemoryIndex(model, set.documents), set.questions);
    const reference = references[set.name];
    const goal = reference === undefined ? '     ' : (0.97 * reference).toFixed(3);
    const cells = [set.name.padEnd(14), alone.ndcg.toFixed(3), '  ', alone.recall.toFixed(3), '   ', goal];
    if (languages.includes(set)) {
      const own = pool.questions.filter(({ id }) => id.startsWith(`${set.name}/`));
      const pooled = evaluate(pooledIndex, own);
      cells.push('         ', pooled.ndcg.toFixed(3), (alone.ndcg - pooled.ndcg).toFixed(3));
    }
    console.log(cells.join(' '));
  }
}
