/* The best chunks of one collection by a comparison of all: what searches are compared with. */
const model = async (name) =>
  import(new URL(`../../dist/features/rag/model/${name}.js`, import.meta.url).href);
const { hashTerm, queryTerms } = await model('tokenizer');
const { bm25Score, inverseDocumentFrequency } = await model('bm25');

const TOP = 10;
/** Rows that are read at once. */
const BATCH = 10_000;

/**
 * Returns the keys of the nearest chunks for each query.
 * @typedef {{ text: string, vector: readonly number[] }} Query
 * @param {{ query: Function }} store
 * @param {{ indexId: string }} collection
 * @param {readonly Query[]} queries
 * @param {(metadata: object) => boolean} isWanted condition on the metadata of documents
 */
export async function exactByVectors(store, { indexId }, queries, isWanted) {
  const best = queries.map(() => []);
  for await (const { key, embedding } of rowsOf(store, indexId, 'chunk_embeddings', isWanted)) {
    const one = Float32Array.from(embedding);
    for (const [index, { vector }] of queries.entries()) add(best[index], { key, score: dot(one, vector) });
  }
  return best.map(keysOf);
}

/**
 * Returns the keys of the chunks with the highest BM25 scores for each query, with the document frequencies of the whole
 * collection: more than ten if several are equal to the tenth.
 */
export async function exactByWords(store, { indexId }, queries, isWanted) {
  const searched = queries.map(({ text }) =>
    queryTerms(text).map(({ term, weight, word }) => ({ hash: hashTerm(indexId, term), weight, word })),
  );
  const hashes = new Set(searched.flat().map(({ hash }) => hash));
  const counts = new Map();
  const chunks = [];
  const corpus = { count: 0, averageLength: 0 };
  for await (const row of rowsOf(store, indexId, 'chunk_terms', () => true)) {
    corpus.count += 1;
    corpus.averageLength += row.length;
    const found = new Map();
    for (const [place, hash] of row.terms.entries()) {
      if (!hashes.has(hash)) continue;
      found.set(hash, row.frequencies[place]);
      counts.set(hash, (counts.get(hash) ?? 0) + 1);
    }
    if (isWanted(row.metadata)) chunks.push({ key: row.key, length: row.length, found });
  }
  corpus.averageLength /= corpus.count;
  return searched.map((terms) => {
    const idfs = terms.map(({ hash }) => inverseDocumentFrequency(corpus, counts.get(hash) ?? 0));
    const best = [];
    for (const { key, length, found } of chunks) {
      const words = new Map();
      for (const [place, { hash, weight, word }] of terms.entries()) {
        const frequency = found.get(hash);
        if (frequency === undefined) continue;
        const score = weight * bm25Score(frequency, length, idfs[place], corpus);
        words.set(word, Math.max(score, words.get(word) ?? 0));
      }
      const score = words.values().reduce((sum, one) => sum + one, 0);
      if (score > 0) add(best, { key, score });
    }
    return keysOf(best);
  });
}

/** Reads the rows of a table of chunks with the metadata of their documents. */
async function* rowsOf(store, indexId, table, isWanted) {
  const { rows: ingestions } = await store.query('SELECT id, metadata FROM ingestions WHERE index_id = $1', [
    indexId,
  ]);
  const wanted = ingestions.filter(({ metadata }) => isWanted(metadata));
  const metadata = new Map(wanted.map((one) => [one.id, one.metadata]));
  const step = Math.max(1, Math.floor((BATCH * ingestions.length) / 100_000));
  for (let first = 0; first < wanted.length; first += step) {
    const ids = wanted.slice(first, first + step).map(({ id }) => id);
    const { rows } = await store.query(`SELECT * FROM ${table} WHERE ingestion_id = ANY($1)`, [ids]);
    for (const row of rows)
      yield { ...row, key: `${row.ingestion_id} ${row.ordinal}`, metadata: metadata.get(row.ingestion_id) };
  }
}

/** Keeps the best ones and those that are equal to the last of these. */
function add(best, candidate) {
  if (best.length >= TOP && candidate.score < best[TOP - 1].score - 1e-9) return;
  best.push(candidate);
  best.sort((one, other) => other.score - one.score);
  while (best.length > TOP && best.at(-1).score < best[TOP - 1].score - 1e-9) best.pop();
}

const keysOf = (best) => best.map(({ key }) => key);

function dot(one, other) {
  let sum = 0;
  for (let index = 0; index < one.length; index += 1) sum += one[index] * other[index];
  return sum;
}
