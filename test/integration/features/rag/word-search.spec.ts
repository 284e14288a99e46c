// Real components: PostgreSQL with the rows of ingestions. The expected ranks are computed from all texts in the test.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { newId } from '../../../../src/common/ids.js';
import { LexicalSearchRepository } from '../../../../src/features/rag/chunks/lexical-search.repository.js';
import { LexicalSearchService } from '../../../../src/features/rag/chunks/lexical-search.service.js';
import { packKey, type Postings } from '../../../../src/features/rag/chunks/postings.js';
import type { WordMatch } from '../../../../src/features/rag/chunks/scored-chunk.js';
import { SearchScopeRepository } from '../../../../src/features/rag/chunks/search-scope.repository.js';
import { bm25Score, inverseDocumentFrequency } from '../../../../src/features/rag/model/bm25.js';
import { parseMetadataFilter } from '../../../../src/features/rag/model/filter.js';
import { hashTerm, queryTerms, termFrequencies } from '../../../../src/features/rag/model/tokenizer.js';
import { PrismaService } from '../../../../src/infra/database/index.js';
import { createMigratedDatabase, type TestDatabase } from '../../../support/database.js';
import { RetrievalStore, type StoredIndex } from '../../../support/retrieval-store.js';

const TOP = 10;

/** Sizes of the collections, so large that no search lists all chunks. */
const LARGE = { documents: 40, chunksOfDocument: 60 };
const OTHER = { documents: 30, chunksOfDocument: 57 };

const WORDS = 3_000;

interface StoredChunk {
  readonly key: string;
  readonly collectionId: string;
  readonly ingestionId: string;
  readonly half: number;
  readonly words: readonly number[];
  readonly frequencies: ReadonlyMap<string, number>;
  readonly length: number;
}

/** Reproducible numbers from 0 to 1. */
let seed = 7;
function random(): number {
  seed = (seed * 16_807) % 2_147_483_647;
  return seed / 2_147_483_647;
}

/** Names of words that share no beginnings; a number is the rank of the word by frequency. */
const names = Array.from({ length: WORDS }, (_, rank) =>
  Array.from({ length: 7 }, (_letter, position) =>
    String.fromCharCode(
      97 + ((((rank * 7_919 + 104_729) % 26 ** (position < 5 ? 5 : 6)) >> (3 * position)) % 26),
    ),
  ).join(''),
);

/** Returns a word by Zipf's law. */
const randomWord = (): number => Math.floor(WORDS ** random()) - 1;

let database: TestDatabase;
let store: RetrievalStore;
let scopes: SearchScopeRepository;
let repository: LexicalSearchRepository;
let words: LexicalSearchService;
let userId: string;
let large: StoredIndex;
let other: StoredIndex;
let chunks: StoredChunk[] = [];

async function fillCollection({ documents, chunksOfDocument }: typeof LARGE): Promise<StoredIndex> {
  const index = await store.addCollection(userId);
  for (let number = 0; number < documents; number += 1) {
    const given = Array.from({ length: chunksOfDocument }, () =>
      Array.from({ length: 10 + Math.floor(30 * random()) }, randomWord),
    );
    const texts = given.map((ranks) => ranks.map((rank) => names[rank] ?? '').join(' '));
    const { ingestionId } = await store.addDocument(index, {
      texts,
      metadata: { half: number % 2 },
      // The same sample in each run.
      lastByte: Math.floor(256 * random()),
    });
    for (const [ordinal, text] of texts.entries())
      chunks.push({
        key: packKey({ ingestionId, ordinal }),
        ingestionId,
        collectionId: index.collectionId,
        half: number % 2,
        words: given[ordinal] ?? [],
        ...termFrequencies(text),
      });
  }
  return index;
}

/** Returns the scores of all chunks with a word of a question, the highest first. */
function scoreAll(question: string, among: readonly StoredChunk[]): Map<string, number> {
  const corpus = {
    count: among.length,
    averageLength: among.reduce((sum, { length }) => sum + length, 0) / among.length,
  };
  const words = new Map<string, Map<number, number>>();
  for (const { term, weight, word } of queryTerms(question)) {
    const having = among.filter(({ frequencies }) => frequencies.has(term));
    const idf = inverseDocumentFrequency(corpus, having.length);
    for (const { key, frequencies, length } of having) {
      const score = weight * bm25Score(frequencies.get(term) ?? 0, length, idf, corpus);
      const best = words.get(key) ?? new Map<number, number>();
      words.set(key, best.set(word, Math.max(score, best.get(word) ?? 0)));
    }
  }
  const scores = Array.from(
    words,
    ([key, best]) => [key, best.values().reduce((sum, score) => sum + score, 0)] as const,
  );
  return new Map(scores.sort(([, one], [, other]) => other - one));
}

async function find(
  question: string,
  collections: readonly StoredIndex[],
  half?: number,
): Promise<WordMatch[]> {
  const access = { userId, collectionIds: collections.map(({ collectionId }) => collectionId) };
  const filter = half === undefined ? undefined : parseMetadataFilter({ half });
  const scope = await scopes.readScope(access, filter);
  expect(scope.matchingChunks === 0 || scope.ingestionIds === undefined || half !== undefined).toBe(true);
  return (await words.findByWords(scope, question, TOP, 100)).slice(0, TOP);
}

const among = (...collections: readonly StoredIndex[]): StoredChunk[] =>
  chunks.filter(({ collectionId }) => collections.some((one) => one.collectionId === collectionId));

/** Returns questions of words of chunks, of which those of a rank below some number are left out. */
function questions(count: number, { minRank, length }: { minRank: number; length: number }): string[] {
  return Array.from({ length: count }, () => {
    for (;;) {
      const given = chunks[Math.floor(random() * chunks.length)]?.words ?? [];
      const chosen = given.filter((rank) => rank >= minRank).slice(0, length);
      if (chosen.length === length) return chosen.map((rank) => names[rank]).join(' ');
    }
  });
}

/** Checks that found chunks are the best of all, with their scores; of equal ones any. */
function expectBest(found: readonly WordMatch[], scores: ReadonlyMap<string, number>): void {
  const expected = [...scores.values()].slice(0, TOP);
  expect(found).toHaveLength(expected.length);
  for (const [rank, { key, score }] of found.entries()) {
    expect(score).toBeCloseTo(expected[rank] ?? Number.NaN, 6);
    expect(score).toBeCloseTo(scores.get(key) ?? Number.NaN, 6);
  }
}

beforeAll(async () => {
  database = await createMigratedDatabase();
  store = new RetrievalStore(database);
  scopes = new SearchScopeRepository(store.prisma);
  repository = new LexicalSearchRepository(store.prisma);
  words = new LexicalSearchService(repository);
  userId = newId();
  await store.run(`INSERT INTO users (id, email, password_hash) VALUES ($1::uuid, $1::uuid::text, 'none')`, [
    userId,
  ]);
  large = await fillCollection(LARGE);
  other = await fillCollection(OTHER);
}, 240_000);

afterAll(async () => {
  await store.close();
  await database.drop();
});

/** Returns the frequencies of a term in the chunks with it, by their keys. */
function frequenciesOf(postings: Postings | undefined): Map<string, number> {
  const found = new Map<string, number>();
  postings?.forEach((key, _length, frequency) => found.set(key, frequency));
  return found;
}

/** Returns the same from the texts of chunks. */
function countWord(rank: number, among: readonly StoredChunk[]): Map<string, number> {
  const [{ term } = { term: '' }] = queryTerms(names[rank] ?? '');
  return new Map(
    among.flatMap(({ key, frequencies }) => {
      const frequency = frequencies.get(term);
      return frequency === undefined ? [] : [[key, frequency] as const];
    }),
  );
}

function toIndexTerm({ indexId }: StoredIndex, rank: number): { indexId: string; hash: number } {
  const [{ term } = { term: '' }] = queryTerms(names[rank] ?? '');
  return { indexId, hash: hashTerm(indexId, term) };
}

describe('the chunks of frequent words', () => {
  it('are those with both words of a pair, with both frequencies, of a filter', async () => {
    const access = { userId, collectionIds: [large.collectionId, other.collectionId] };
    const scope = await scopes.readScope(access, parseMetadataFilter({ half: 1 }));
    const pairs = [large, other].map((index) => ({
      indexId: index.indexId,
      hashes: [toIndexTerm(index, 0).hash, toIndexTerm(index, 2).hash] as const,
      cap: 10_000,
    }));
    const found = await repository.findPostings(scope, [toIndexTerm(large, 40)], 10_000, pairs);

    expect(found.pairs.map(({ pair }) => pair).sort()).toEqual([0, 1]);
    for (const { pair, postings } of found.pairs) {
      const having = among(pair === 0 ? large : other).filter(({ half }) => half === 1);
      const [first, second] = [countWord(0, having), countWord(2, having)];
      const both = new Set(first.keys().filter((key) => second.has(key)));
      expect(both.size).toBeGreaterThan(100);
      for (const [place, counts] of [first, second].entries())
        expect(frequenciesOf(postings[place])).toEqual(new Map([...counts].filter(([key]) => both.has(key))));
    }
    const having = countWord(40, among(large));
    const matching = new Set(among(large).flatMap(({ key, half }) => (half === 1 ? [key] : [])));
    expect(found.terms.map(({ chunks: count }) => count)).toEqual([having.size]);
    expect(frequenciesOf(found.terms[0]?.postings)).toEqual(
      new Map([...having].filter(([key]) => matching.has(key))),
    );
  });

  it('are those of some chunks that have each of any number of words, in several collections', async () => {
    const access = { userId, collectionIds: [large.collectionId, other.collectionId] };
    const scope = await scopes.readScope(access, undefined);
    const ranks = [0, 1, 2, 5, 9, 14, 30, 55, 80];
    const some = [...among(large).slice(100, 300), ...among(other).slice(0, 100)];
    const found = await repository.findTermsOf(
      scope,
      ranks.map((rank) => [large, other].map((index) => toIndexTerm(index, rank))),
      some.map(({ key }) => key),
      [],
      0,
    );
    expect(found.map(({ term }) => term)).toEqual([...ranks.keys()]);
    for (const { term, postings } of found)
      expect(frequenciesOf(postings)).toEqual(countWord(ranks[term] ?? -1, some));
  });

  it('are found by one prepared statement for all short questions, and by none for long ones', async () => {
    const prisma = new PrismaService({ connectionString: database.url, poolMax: 1 });
    try {
      const one = new LexicalSearchRepository(prisma);
      const access = { userId, collectionIds: [large.collectionId] };
      const scope = await new SearchScopeRepository(prisma).readScope(access, undefined);
      const keys = among(large).map(({ key }) => key);
      const statements = async (): Promise<unknown[]> =>
        prisma.query(
          `SELECT name FROM pg_prepared_statements WHERE statement LIKE '%keys AS MATERIALIZED%'`,
          [],
        );
      const counts: number[] = [];
      for (const length of [5, 6, 17, 24]) {
        const terms = Array.from({ length }, (_, rank) => [toIndexTerm(large, rank)]);
        expect(await one.findTermsOf(scope, terms, keys, [], 0)).not.toEqual([]);
        counts.push((await statements()).length);
      }
      expect(counts).toEqual([1, 1, 1, 1]);
    } finally {
      await prisma.onApplicationShutdown();
    }
  });
});

describe('a search by words in large collections', () => {
  it('returns what a comparison of all chunks returns, with the same scores, for words that are not frequent', async () => {
    for (const question of questions(15, { minRank: 60, length: 2 }))
      expectBest(await find(question, [large]), scoreAll(question, among(large)));
  }, 240_000);

  it('returns the same in several collections, whose frequencies are added up', async () => {
    for (const question of questions(8, { minRank: 60, length: 2 }))
      expectBest(await find(question, [large, other]), scoreAll(question, among(large, other)));
  }, 240_000);

  it('returns those that match a filter, with the frequencies of the whole collection', async () => {
    for (const question of questions(8, { minRank: 60, length: 2 })) {
      const scores = scoreAll(question, among(large, other));
      for (const { key, half } of among(large, other)) if (half !== 1) scores.delete(key);
      expectBest(await find(question, [large, other], 1), scores);
    }
  }, 240_000);

  it('returns most of the same if a question has frequent words too, and the scores order it', async () => {
    let same = 0;
    let wanted = 0;
    for (const question of questions(15, { minRank: 0, length: 6 })) {
      const best = [...scoreAll(question, among(large)).keys()].slice(0, TOP);
      const found = await find(question, [large]);
      expect(found.map(({ score }) => score)).toEqual(
        found.map(({ score }) => score).sort((one, another) => another - one),
      );
      same += found.filter(({ key }) => best.includes(key)).length;
      wanted += best.length;
    }
    // The sample is of about 20 chunks here.
    expect(same / wanted).toBeGreaterThanOrEqual(0.8);
  }, 240_000);

  it('returns chunks of the most frequent word alone', async () => {
    const found = await find(names[0] ?? '', [large]);
    expect(found).toHaveLength(TOP);
    const having = new Set(among(large).flatMap(({ key, words: ranks }) => (ranks.includes(0) ? [key] : [])));
    expect(found.filter(({ key }) => !having.has(key))).toEqual([]);
  });

  it('returns no chunk of a version that is hidden, and after its deletion what is left', async () => {
    const [question = ''] = questions(1, { minRank: 60, length: 2 });
    const [first] = scoreAll(question, among(large)).keys();
    const ingestionId = chunks.find(({ key }) => key === first)?.ingestionId;
    await store.run('UPDATE ingestions SET visible = false WHERE id = $1', [ingestionId]);
    const left = new Set(among(large).flatMap((one) => (one.ingestionId === ingestionId ? [] : [one.key])));
    expect((await find(question, [large])).filter(({ key }) => !left.has(key))).toEqual([]);

    await store.run('DELETE FROM ingestions WHERE id = $1', [ingestionId]);
    chunks = chunks.filter((one) => one.ingestionId !== ingestionId);
    expectBest(await find(question, [large]), scoreAll(question, among(large)));
  });
});
