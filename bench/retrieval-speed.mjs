/*
 * DATABASE_URL=… node bench/retrieval-speed.mjs [--chunks 100000] [--words 100] [--queries 200]
 *   [--keep | --database NAME] [--only signs|hnsw]
 *
 * Measures ingest and search in a database of its own: one collection with 100,000 chunks and vectors of 384 dimensions
 * beside 100 small ones. Texts are of words whose frequencies follow Zipf's law, and a vector is the sum of the vectors
 * of the words. These mostly lie in 64 of the dimensions, unequally, as those of real texts do: among vectors with equally
 * many differences in all directions, all are about equally far away, and no index finds the nearest ones. Prints the chunks stored a second, from tokenizing to the commit, with an embedder that answers at once;
 * then the time of a hybrid search without the call for the vector of the query, whole and with filters, by signs and by
 * the index of pgvector if the server has it; and the share of the ten best of a comparison of all that the words and the
 * vectors find. `--keep` keeps the database, and `--database` measures one that was kept: with the index of pgvector
 * if `--only signs` has not dropped it.
 */
import { parseArgs } from 'node:util';
import { exactByVectors, exactByWords } from './retrieval/exact-search.mjs';
import { RetrievalStore } from './retrieval/store.mjs';
import { quantile } from './statistics.mjs';

const DIMENSIONS = 384;
/** Directions in which the vectors of words differ most, and the share of the differences in all others. */
const DIRECTIONS = 64;
const NOISE = 0.3;
const VOCABULARY = 50_000;
const CHUNKS_OF_DOCUMENT = 50;
const SMALL = { collections: 100, chunks: 50 };
/** Number of queries whose results are compared with a comparison of all. */
const COMPARED = 80;
const GOALS = { hnsw: 15, signs: 40, ingest: 300 };

const { values } = parseArgs({
  options: {
    chunks: { type: 'string', default: '100000' },
    words: { type: 'string', default: '100' },
    queries: { type: 'string', default: '200' },
    keep: { type: 'boolean', default: false },
    database: { type: 'string' },
    only: { type: 'string' },
  },
});
const chunkCount = Number(values.chunks);
const wordCount = Number(values.words);

/** Reproducible numbers from 0 to 1. */
let state = 42;
function random() {
  state = (state + 0x6d2b79f5) | 0;
  let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
  mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
  return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
}

/** Ranks of words, the frequent ones first, by Zipf's law. */
const randomWord = () => Math.floor(VOCABULARY ** random()) - 1;
const nameOf = (word) =>
  `w${((word * 2654435761) >>> 0).toString(36).replace(/\d/g, (digit) => 'abcdefghij'[digit])}`;

const normal = () => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
/** The directions, the first ones with the largest differences. */
const directions = Array.from({ length: DIRECTIONS }, (_, rank) =>
  Float32Array.from({ length: DIMENSIONS }, () => normal() / Math.sqrt(1 + rank / 8)),
);

const vectors = new Map();
function vectorOf(word) {
  const known = vectors.get(word);
  if (known !== undefined) return known;
  const made = Float32Array.from({ length: DIMENSIONS }, () => NOISE * normal());
  for (const direction of directions) {
    const share = normal();
    for (let index = 0; index < DIMENSIONS; index += 1) made[index] += share * direction[index];
  }
  vectors.set(word, made);
  return made;
}

/** Frequent words say little about a text. */
function embed(words) {
  const sum = new Float64Array(DIMENSIONS);
  for (const word of words) {
    const weight = Math.log(2 + word);
    const vector = vectorOf(word);
    for (let index = 0; index < DIMENSIONS; index += 1) sum[index] += weight * vector[index];
  }
  const length = Math.sqrt(sum.reduce((total, value) => total + value * value, 0));
  return Array.from(sum, (value) => Math.fround(value / length));
}

/** Each document is about some rarer words, which its chunks share. */
function makeChunk(topic) {
  const words = Array.from({ length: wordCount }, () =>
    random() < 0.2 ? topic[Math.floor(random() * topic.length)] : randomWord(),
  );
  return { words, text: words.map(nameOf).join(' '), vector: embed(words) };
}

function makeDocument(count) {
  const topic = Array.from({ length: 20 }, () => randomWord());
  return Array.from({ length: count }, () => makeChunk(topic));
}

const store =
  values.database === undefined
    ? await RetrievalStore.create(process.env.DATABASE_URL)
    : await RetrievalStore.open(process.env.DATABASE_URL, values.database);
const isKept = values.keep || values.database !== undefined;
try {
  const collections = values.database === undefined ? await fill() : await readKept();
  if (values.only !== 'hnsw') {
    // A valid index is used if there is one.
    await store.query(`DROP INDEX IF EXISTS chunk_embeddings_halfvec_${DIMENSIONS}`);
    await measure('signs', collections);
  }
  if (values.only !== 'signs') await measureIndex(collections);
  if (isKept) console.log(`\nkept: --database ${store.name}`);
} finally {
  await store.close(isKept);
}

/** Stores the collections, and measures how fast. */
async function fill() {
  const large = await store.createCollection('large', DIMENSIONS);
  const small = [];
  for (let index = 0; index < SMALL.collections; index += 1)
    small.push(await store.createCollection(`small ${index}`, DIMENSIONS));
  for (const collection of small) await store.addDocument(collection, 'small', makeDocument(SMALL.chunks));

  const questions = [];
  let seconds = 0;
  const documents = chunkCount / CHUNKS_OF_DOCUMENT;
  for (let index = 0; index < documents; index += 1) {
    const chunks = makeDocument(CHUNKS_OF_DOCUMENT);
    const { words } = chunks[0];
    if (
      questions.length < Number(values.queries) &&
      index % Math.ceil(documents / Number(values.queries)) === 0
    )
      questions.push(Array.from({ length: 6 }, () => words[Math.floor(random() * words.length)]));
    const started = performance.now();
    await store.addDocument(large, `document ${index}`, chunks, {
      half: index % 2,
      tenth: index % 10,
      thousandth: index % 1000,
    });
    seconds += (performance.now() - started) / 1000;
  }
  console.log(
    `ingest: ${Math.round(chunkCount / seconds)} chunks/s, goal ${GOALS.ingest}; ${wordCount} words a chunk`,
  );
  const sizes = await store.query(
    `SELECT relname, pg_size_pretty(pg_total_relation_size(oid)) AS size FROM pg_class
     WHERE relname IN ('chunks', 'chunk_terms', 'chunk_terms_terms_idx', 'chunk_embeddings', 'chunk_signs')`,
  );
  console.log(sizes.rows.map(({ relname, size }) => `${relname} ${size}`).join(', '));
  await store.query('VACUUM ANALYZE');
  const queries = questions.map((words) => ({ text: words.map(nameOf).join(' '), vector: embed(words) }));
  const filled = { large, small, queries };
  await store.query('CREATE TABLE bench_state (key text PRIMARY KEY, value jsonb NOT NULL)');
  await store.query('INSERT INTO bench_state VALUES ($1, $2)', ['filled', JSON.stringify(filled)]);
  return filled;
}

/** Returns what `fill` has stored in a database that was kept. */
async function readKept() {
  const { rows } = await store.query(`SELECT value FROM bench_state WHERE key = 'filled'`);
  const { value } = rows[0];
  return { ...value, queries: value.queries.slice(0, Number(values.queries)) };
}

async function measureIndex(collections) {
  const installed = await store.indexes.installExtension().then(
    () => true,
    (error) => console.log(`SKIPPED: pgvector: ${error.message}`),
  );
  if (installed !== true) return;
  if ((await store.indexes.findValidIndex(DIMENSIONS)) === undefined) {
    const started = performance.now();
    await store.indexes.buildIndex(DIMENSIONS, new AbortController().signal);
    console.log(`index of pgvector: built in ${Math.round((performance.now() - started) / 1000)} s`);
  }
  await measure('hnsw', collections);
}

/** Measures each kind of search by one way of comparing vectors. */
async function measure(method, { large, small, queries }) {
  const byQuery = new Map(queries.map(({ text, vector }) => [text, vector]));
  const search = store.search((query) => byQuery.get(query));
  const equals = (field, value) => ({ kind: 'comparison', field, operator: 'eq', value });
  const kinds = {
    'whole collection': {},
    'filter of 50 %': { filter: equals('half', 1) },
    'filter of 10 %': { filter: equals('tenth', 1) },
    'filter of 0.1 %': { filter: equals('thousandth', 1) },
    'one of 100 small collections': { collections: [small[50].collectionId] },
  };
  console.log(`\n${method}: hybrid, ms; goal for p50: ${GOALS[method]}`);
  console.log(
    'search                          p50    p95   words vectors  method  recall@10 of both  results',
  );
  for (const [title, kind] of Object.entries(kinds)) {
    const times = [];
    const legs = { lexical: [], vector: [] };
    const recall = { vector: { found: 0, wanted: 0 }, lexical: { found: 0, wanted: 0 } };
    let used;
    const fewest = [];
    for (const [round, query] of [...byQuery.keys(), ...byQuery.keys()].entries()) {
      const request = { collections: [large.collectionId], ...kind, query };
      const started = performance.now();
      const result = await search(request);
      if (round >= byQuery.size) times.push(performance.now() - started);
      fewest.push(result.hits.length);
      for (const { leg, durationMs, method: by } of result.legs) {
        if (round >= byQuery.size) legs[leg].push(durationMs);
        used = by ?? used;
      }
    }
    for (const [mode, sum] of Object.entries(recall)) {
      const best = await readExact(mode, title, kind, { large, queries });
      for (const [index, keys] of best.entries()) {
        const request = { collections: [large.collectionId], ...kind, query: queries[index].text, mode };
        const { hits } = await search(request);
        const right = hits.filter(({ ingestionId, ordinal }) => keys.includes(`${ingestionId} ${ordinal}`));
        sum.found += right.length;
        sum.wanted += Math.min(10, keys.length);
      }
    }
    const cells = [
      title.padEnd(28),
      ...[0.5, 0.95].map((share) => quantile(times, share).toFixed(1).padStart(6)),
    ];
    cells.push(...Object.values(legs).map((durations) => quantile(durations, 0.5).toFixed(1).padStart(6)));
    const shares = Object.values(recall).map(({ found, wanted }) =>
      wanted === 0 ? '   –  ' : (found / wanted).toFixed(3),
    );
    console.log(`${cells.join(' ')}   ${used.padEnd(7)} ${shares.join(' ')}      ${Math.min(...fewest)}`);
  }
}

/** Returns the best chunks of each of the first queries by a comparison of all; of a small scope nothing. */
async function readExact(mode, title, { filter, collections }, { large, queries }) {
  if (collections !== undefined || filter?.field === 'thousandth') return [];
  const key = `${mode} ${title}`;
  const { rows } = await store.query('SELECT value FROM bench_state WHERE key = $1', [key]);
  if (rows[0] !== undefined) return rows[0].value.slice(0, queries.length);
  const compare = mode === 'vector' ? exactByVectors : exactByWords;
  const isWanted = (metadata) => filter === undefined || metadata[filter.field] === filter.value;
  const best = await compare(store, large, queries.slice(0, COMPARED), isWanted);
  await store.query('INSERT INTO bench_state VALUES ($1, $2)', [key, JSON.stringify(best)]);
  return best;
}
