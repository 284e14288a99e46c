// Real components: PostgreSQL with the rows of an ingestion, with pgvector if the server has it. Only the embedding
// model is a function of the test.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Logger } from '@nestjs/common';
import type { AccountAccess } from '../../../../src/common/caller.js';
import { AppError } from '../../../../src/common/errors.js';
import { newId } from '../../../../src/common/ids.js';
import { LexicalSearchRepository } from '../../../../src/features/rag/chunks/lexical-search.repository.js';
import { LexicalSearchService } from '../../../../src/features/rag/chunks/lexical-search.service.js';
import { PassageRepository } from '../../../../src/features/rag/chunks/passage.repository.js';
import { SearchScopeRepository } from '../../../../src/features/rag/chunks/search-scope.repository.js';
import { VectorIndexRepository } from '../../../../src/features/rag/chunks/vector-index.repository.js';
import { VectorIndexService } from '../../../../src/features/rag/chunks/vector-index.service.js';
import { VectorSearchRepository } from '../../../../src/features/rag/chunks/vector-search.repository.js';
import { VectorSearchService } from '../../../../src/features/rag/chunks/vector-search.service.js';
import { parseMetadataFilter } from '../../../../src/features/rag/model/filter.js';
import { PassageSearchService } from '../../../../src/features/rag/search/passage-search.service.js';
import { QueryEmbedder } from '../../../../src/features/rag/search/query-embedder.js';
import type { SearchRequest, SearchResult } from '../../../../src/features/rag/search/search-request.js';
import { VectorLeg } from '../../../../src/features/rag/search/vector-leg.js';
import { Metrics } from '../../../../src/infra/metrics/index.js';
import { createMigratedDatabase, type TestDatabase } from '../../../support/database.js';
import { unitVector } from '../../../support/fake-provider/embedding-vectors.js';
import { Scrape } from '../../../support/metrics.js';
import { RetrievalStore, type StoredIndex } from '../../../support/retrieval-store.js';

/** Dimensions of most vectors: few, so that thousands are stored in a second. */
const DIMENSIONS = 64;

const SIGNAL = new AbortController().signal;

/** Embeds by the words of a text, unless it is to fail. */
class WordEmbedder extends QueryEmbedder {
  dimensions = DIMENSIONS;
  failure: AppError | undefined;

  override embedQuery(
    _caller: AccountAccess,
    { query }: { readonly query: string },
  ): Promise<readonly number[]> {
    if (this.failure !== undefined) return Promise.reject(this.failure);
    // Of any length: searches normalize it.
    return Promise.resolve(unitVector(query, this.dimensions).map((value) => 3 * value));
  }
}

let database: TestDatabase;
let store: RetrievalStore;
let indexes: VectorIndexRepository;
let search: PassageSearchService;
const embedder = new WordEmbedder();
const metrics = new Metrics('0.0.0');

beforeAll(async () => {
  // Each search logs what its ways did.
  Logger.overrideLogger(['warn', 'error']);
  database = await createMigratedDatabase();
  store = new RetrievalStore(database);
  const { prisma } = store;
  indexes = new VectorIndexRepository(prisma);
  const vectors = new VectorSearchService(new VectorSearchRepository(prisma), indexes);
  search = new PassageSearchService(
    new SearchScopeRepository(prisma),
    new LexicalSearchService(new LexicalSearchRepository(prisma)),
    new VectorLeg(embedder, vectors, { vectorWeight: 0.5, minCosine: 0.8 }),
    new PassageRepository(prisma),
    metrics,
  );
});

afterAll(async () => {
  await store.close();
  await database.drop();
});

async function addUser(): Promise<string> {
  const id = newId();
  await store.run(`INSERT INTO users (id, email, password_hash) VALUES ($1::uuid, $1::uuid::text, 'none')`, [
    id,
  ]);
  return id;
}

function find(
  userId: string,
  request: Partial<SearchRequest> & Pick<SearchRequest, 'query' | 'collections'>,
): Promise<SearchResult> {
  const defaults = { mode: 'hybrid', topK: 10, explain: true } as const;
  return search.search({ userId, apiKeyId: null }, { ...defaults, ...request }, SIGNAL);
}

async function findTexts(...given: Parameters<typeof find>): Promise<string[]> {
  return (await find(...given)).hits.map(({ text }) => text);
}

const vectors = new Map<string, readonly number[]>();

/** Returns the vector of a stored text, which is computed once. */
function vectorOf(text: string): readonly number[] {
  const vector = vectors.get(text) ?? unitVector(text, DIMENSIONS);
  vectors.set(text, vector);
  return vector;
}

/** Stores a document of one chunk for each text, with vectors. */
function addTexts(
  index: Parameters<RetrievalStore['addDocument']>[0],
  texts: readonly string[],
  metadata = {},
) {
  return store.addDocument(index, {
    texts,
    vectors: texts.map(vectorOf),
    metadata,
  });
}

describe('the passages of a search', () => {
  it('have their text, their span and both scores', async () => {
    const userId = await addUser();
    const index = await store.addCollection(userId, { dimensions: DIMENSIONS });
    const { documentId, ingestionId } = await store.addDocument(index, {
      title: 'Handbook',
      format: 'pdf',
      prefix: 'Terms of employment',
      texts: ['The notice period is three months.', 'Meals are paid by the company.'],
      vectors: ['The notice period is three months.', 'Meals are paid by the company.'].map((text) =>
        unitVector(text, DIMENSIONS),
      ),
    });

    const { hits, legs, warnings } = await find(userId, {
      query: 'The notice period is three months.',
      collections: [index.collectionId],
      topK: 1,
    });

    expect(hits).toEqual([
      {
        documentId,
        ingestionId,
        ordinal: 0,
        collectionId: index.collectionId,
        title: 'Handbook',
        page: 1,
        start: 10,
        end: 44,
        text: 'The notice period is three months.',
        prefix: 'Terms of employment',
        rows: null,
        score: 1,
        scores: { lexical: expect.any(Number), vector: expect.closeTo(1, 5), fused: 1 },
        ranks: { lexical: 1, vector: 1 },
      },
    ]);
    expect(legs).toMatchObject([{ leg: 'lexical' }, { leg: 'vector', method: 'exact', found: 2 }]);
    expect(warnings).toEqual([]);
    // A word of the prefix finds the chunks that it stands before.
    expect(
      await findTexts(userId, { query: 'employment', collections: [index.collectionId], mode: 'lexical' }),
    ).toHaveLength(2);
  });

  it('are those of the account and of collections shared with it, until the share is revoked or the owner is disabled', async () => {
    const [owner, reader] = [await addUser(), await addUser()];
    const index = await store.addCollection(owner, { dimensions: DIMENSIONS });
    await addTexts(index, ['confidential figures']);
    const request = { query: 'confidential figures', collections: [index.collectionId] };

    for (const mode of ['hybrid', 'lexical', 'vector'] as const) {
      expect(await findTexts(owner, { ...request, mode })).toEqual(['confidential figures']);
      expect((await find(reader, { ...request, mode })).hits).toEqual([]);
    }
    await store.run('INSERT INTO collection_shares (collection_id, user_id) VALUES ($1, $2)', [
      index.collectionId,
      reader,
    ]);
    for (const mode of ['lexical', 'vector'] as const)
      expect(await findTexts(reader, { ...request, mode })).toEqual(['confidential figures']);
    await store.run('UPDATE users SET disabled_at = now() WHERE id = $1', [owner]);
    for (const mode of ['lexical', 'vector'] as const)
      expect((await find(reader, { ...request, mode })).hits).toEqual([]);
    await store.run('UPDATE users SET disabled_at = NULL WHERE id = $1', [owner]);
    await store.run('DELETE FROM collection_shares WHERE user_id = $1', [reader]);
    for (const mode of ['lexical', 'vector'] as const)
      expect((await find(reader, { ...request, mode })).hits).toEqual([]);
    await store.run('UPDATE collections SET deleted_at = now() WHERE id = $1', [index.collectionId]);
    for (const mode of ['lexical', 'vector'] as const)
      expect((await find(owner, { ...request, mode })).hits).toEqual([]);
  });

  it('are neither of versions that are not visible nor of an index that is being built', async () => {
    const userId = await addUser();
    const index = await store.addCollection(userId, { dimensions: DIMENSIONS });
    const { ingestionId } = await store.addDocument(index, {
      texts: ['hidden version'],
      vectors: [unitVector('hidden version', DIMENSIONS)],
      isVisible: false,
    });
    const building = await store.addIndex(index.collectionId, 'building', {
      dimensions: DIMENSIONS,
      model: 'new',
    });
    await addTexts({ ...index, indexId: building }, ['hidden index']);
    const request = { query: 'hidden version', collections: [index.collectionId], includeIrrelevant: true };

    for (const mode of ['lexical', 'vector'] as const)
      expect((await find(userId, { ...request, mode })).hits).toEqual([]);
    await store.run('UPDATE ingestions SET visible = true WHERE id = $1', [ingestionId]);
    for (const mode of ['lexical', 'vector'] as const)
      expect(await findTexts(userId, { ...request, mode })).toEqual(['hidden version']);
  });

  it('without a word of the query are left out below the minimum cosine, which leaves words alone', async () => {
    const userId = await addUser();
    const index = await store.addCollection(userId, { dimensions: DIMENSIONS });
    await addTexts(index, ['alpha beta gamma', 'delta epsilon zeta']);
    const request = { query: 'alpha', collections: [index.collectionId] };

    expect(await findTexts(userId, request)).toEqual(['alpha beta gamma']);
    expect(await findTexts(userId, { ...request, minScore: 0.99 })).toEqual(['alpha beta gamma']);
    expect(await findTexts(userId, { ...request, mode: 'vector' })).toEqual([]);
    expect(await findTexts(userId, { ...request, minScore: -1 })).toHaveLength(2);
    expect(await findTexts(userId, { ...request, includeIrrelevant: true })).toHaveLength(2);
    expect(await findTexts(userId, { ...request, query: 'unrelated' })).toEqual([]);
  });

  it('come from several collections with different embedding models and without one', async () => {
    const userId = await addUser();
    const collections = [
      await store.addCollection(userId, { dimensions: DIMENSIONS }),
      await store.addCollection(userId, { dimensions: DIMENSIONS, model: 'test/other' }),
      await store.addCollection(userId),
    ];
    for (const [number, index] of collections.entries())
      await store.addDocument(index, {
        texts: [`harbor number ${number}`],
        ...(number < 2 && { vectors: [unitVector(`harbor number ${number}`, DIMENSIONS)] }),
      });

    const { hits } = await find(userId, {
      query: 'harbor',
      collections: collections.map((one) => one.collectionId),
    });

    expect(hits.map(({ collectionId }) => collectionId).sort()).toEqual(
      collections.map(({ collectionId }) => collectionId).sort(),
    );
  });
});

describe('the words of a query', () => {
  const texts = [
    'Con đường này rất dài',
    'Con duong nay rat dai',
    'Order ABC-123.4 was shipped',
    'Order ABC-123.5 was returned',
    '知识产权的保护非常重要',
    '東京タワーは東京都港区にある電波塔である',
    '서울특별시는 대한민국의 수도이다',
    'กรุงเทพมหานครเป็นเมืองหลวงของประเทศไทย',
    'Die Größe der Ｆｕｌｌｗｉｄｔｈ letters',
    'Résumé of the meeting'.normalize('NFD').normalize('NFC'),
  ];
  let userId: string;
  let collections: string[];

  beforeAll(async () => {
    userId = await addUser();
    const index = await store.addCollection(userId);
    collections = [index.collectionId];
    await store.addDocument(index, { texts });
  });

  it.each([
    ['đường', 0],
    ['duong', 1],
    ['ABC-123.4', 2],
    ['abc-123.5', 3],
    ['产权', 4],
    ['東京', 5],
    ['수도', 6],
    ['เมืองหลวง', 7],
    ['fullwidth', 8],
    ['Größe'.normalize('NFD'), 8],
    ['resume', 9],
    ['ｍｅｅｔｉｎｇｓ', 9],
  ])('%s finds its passage first', async (query, expected) => {
    const found = await findTexts(userId, { query, collections, mode: 'lexical' });
    expect(found[0]).toBe(texts[expected]);
  });

  it('find the folded form too, after the exact one', async () => {
    expect(await findTexts(userId, { query: 'duong', collections })).toEqual([texts[1], texts[0]]);
  });

  it('find passages that have function words only if they need not be relevant', async () => {
    const index = await store.addCollection(userId);
    await store.addDocument(index, { texts: ['Đây là sách của tôi, không có gì khác'] });
    const request = {
      query: 'Cái này có phải là của một con mèo không?',
      collections: [index.collectionId],
    };
    expect(await findTexts(userId, request)).toEqual([]);
    expect(await findTexts(userId, { ...request, includeIrrelevant: true })).toHaveLength(1);
  });

  it('find nothing if no passage has one, and the report says why', async () => {
    const { hits, legs } = await find(userId, { query: 'zebra', collections });
    expect(hits).toEqual([]);
    expect(legs).toMatchObject([
      { leg: 'lexical', found: 0, reason: 'No passage has a word of the query.' },
      { leg: 'vector', found: 0, reason: 'The collection has no embedding model.' },
    ]);
  });
});

describe('the metrics of searches', () => {
  /** Returns the number of searches by their way, method and result since the start of the tests. */
  async function counts(): Promise<Record<string, number>> {
    const samples = new Scrape(await metrics.export()).find('parley_search_leg_duration_seconds_count');
    return Object.fromEntries(
      samples.map(({ labels, value }) => [
        ['search_leg', 'search_method', 'search_result'].map((label) => labels[label]).join(' '),
        value,
      ]),
    );
  }

  it('have each way that was searched with its method and result, and none that is off', async () => {
    const userId = await addUser();
    const plain = await store.addCollection(userId, {});
    const embedded = await store.addCollection(userId, { dimensions: DIMENSIONS });
    await addTexts(embedded, ['steady text']);
    const before = await counts();
    const grown = async (): Promise<Record<string, number>> => {
      const entries = Object.entries(await counts()).map(
        ([name, count]) => [name, count - (before[name] ?? 0)] as const,
      );
      return Object.fromEntries(entries.filter(([, count]) => count > 0));
    };
    await find(userId, { query: 'steady', collections: [plain.collectionId] });
    await find(userId, { query: 'steady', collections: [embedded.collectionId] });
    embedder.failure = new AppError('provider_unavailable', 'The provider is away.');
    await find(userId, { query: 'steady', collections: [embedded.collectionId] });
    embedder.failure = undefined;
    expect(await grown()).toEqual({
      'lexical words nothing': 1,
      'lexical words found': 2,
      'vector exact found': 1,
      'vector none failed': 1,
    });
  });
});

describe('an embedding model', () => {
  it('that is unavailable leaves the search by words, with a warning, and fails a search by vectors only', async () => {
    const userId = await addUser();
    const index = await store.addCollection(userId, { dimensions: DIMENSIONS });
    await addTexts(index, ['steady text']);
    const request = { query: 'steady', collections: [index.collectionId] };
    embedder.failure = new AppError('provider_unavailable', 'The provider is away.');
    try {
      const { hits, warnings } = await find(userId, request);
      expect(hits).toMatchObject([{ text: 'steady text', scores: { vector: null, fused: null } }]);
      expect(warnings).toEqual(['The embedding model is unavailable: The provider is away.']);
      await expect(find(userId, { ...request, mode: 'vector' })).rejects.toBe(embedder.failure);
      embedder.failure = new AppError('quota_exceeded', 'The quota is used up.');
      await expect(find(userId, request)).rejects.toBe(embedder.failure);
    } finally {
      embedder.failure = undefined;
    }
  });

  it('that returns other dimensions is refused with a sentence', async () => {
    const userId = await addUser();
    const index = await store.addCollection(userId, { dimensions: DIMENSIONS });
    await addTexts(index, ['steady text']);
    embedder.dimensions = 16;
    try {
      const result = find(userId, { query: 'steady', collections: [index.collectionId] });
      await expect(result).rejects.toMatchObject({
        code: 'reindex_required',
        message: expect.stringContaining('16'),
      });
    } finally {
      embedder.dimensions = DIMENSIONS;
    }
  });
});

describe('a large collection beside 100 others, whose vectors share an index', () => {
  /** More than the chunks that get an index of pgvector, in few documents: each is a transaction. */
  const documents = 150;
  const chunksOfDocument = 40;
  /** Of the others, those that are searched together have more chunks than a search lists. */
  const others = { count: 100, joined: 20, chunksOfJoined: 80, chunksOfOther: 5 };
  let userId: string;
  let large: string;
  let largeIndex: StoredIndex;
  let small: string;
  /** Texts of the large collection by document. */
  const stored: string[][] = [];
  /** Texts of the other collections, by their ids. */
  const otherTexts = new Map<string, readonly string[]>();

  beforeAll(async () => {
    userId = await addUser();
    const index = await store.addCollection(userId, { dimensions: DIMENSIONS });
    largeIndex = index;
    large = index.collectionId;
    for (let number = 0; number <= documents; number += 1) {
      // The last one is 0.1 % of all.
      const texts = Array.from(
        { length: number === documents ? 6 : chunksOfDocument },
        (_, chunk) =>
          `common words topic${number} part${chunk} item${(number * 7 + chunk * 13) % 50} in${number % 10}`,
      );
      stored.push(texts);
      await addTexts(index, texts, { number, tenth: number % 10 });
    }
    for (let number = 0; number < others.count; number += 1) {
      const one = await store.addCollection(userId, { dimensions: DIMENSIONS });
      const length = number < others.joined ? others.chunksOfJoined : others.chunksOfOther;
      const texts = Array.from(
        { length },
        (_, chunk) => `small collection${number} part${chunk} common item${(number + chunk * 7) % 50}`,
      );
      await addTexts(one, texts);
      otherTexts.set(one.collectionId, texts);
      small = one.collectionId;
    }
  }, 300_000);

  const textsOf = (matches: (number: number) => boolean): string[] =>
    stored.flatMap((texts, number) => (matches(number) ? texts : []));

  /** Checks the number of results, and the share of the ten nearest vectors of some texts among them. */
  async function expectRecall(
    method: string,
    candidates: readonly string[],
    { filter, collections = [large] }: { filter?: object; collections?: readonly string[] } = {},
  ): Promise<void> {
    let found = 0;
    let wanted = 0;
    for (const text of candidates.filter(
      (_, position) => position % Math.ceil(candidates.length / 20) === 0,
    )) {
      const query = text.split(' ').slice(1, 4).join(' ');
      const vector = unitVector(query, DIMENSIONS);
      const cosines = candidates.map((one) => dot(vector, vectorOf(one))).sort((one, other) => other - one);
      const request = {
        query,
        collections,
        includeIrrelevant: true,
        ...(filter && { filter: parseMetadataFilter(filter) }),
      };
      const topK = Math.min(10, candidates.length);
      const { hits, legs } = await find(userId, { ...request, mode: 'vector' });
      expect(hits).toHaveLength(topK);
      expect(legs).toMatchObject([{ method }]);
      // Several may be equally near.
      const floor = (cosines[topK - 1] ?? 0) - 1e-5;
      found += hits.filter(({ scores }) => (scores.vector ?? -1) >= floor).length;
      wanted += topK;
      expect((await find(userId, request)).hits).toHaveLength(topK);
    }
    expect(found / wanted).toBeGreaterThanOrEqual(0.95);
  }

  /** Checks the recall of searches that leave out most of the vectors. */
  async function expectRecallOfParts(): Promise<void> {
    const last = textsOf((number) => number === documents);
    await expectRecall('exact', last, { filter: { number: documents } });
    await expectRecall(
      'exact',
      textsOf((number) => number % 10 === 3),
      { filter: { tenth: 3 } },
    );
    await expectRecall(
      'signs',
      textsOf((number) => number % 10 >= 3),
      { filter: { tenth: { gte: 3 } } },
    );
  }

  /** Checks the recall of searches in one of the other collections, and in many of them at once. */
  async function expectRecallOfOthers(): Promise<void> {
    for (const [id, texts] of [...otherTexts].slice(others.joined - 1, others.joined + 1))
      await expectRecall('exact', texts, { collections: [id] });
    const joined = [...otherTexts].slice(0, others.joined);
    await expectRecall(
      'signs',
      joined.flatMap(([, texts]) => texts),
      { collections: joined.map(([id]) => id) },
    );
  }

  it('is searched by signs without an index of pgvector', () =>
    expectRecall(
      'signs',
      textsOf(() => true),
    ));

  it('returns the nearest of those that match a filter, also if it leaves 0.1 %', () =>
    expectRecallOfParts());

  it('does not hide the nearest of the others, of one and of 20 together', () => expectRecallOfOthers());

  it.each([0, 201])(
    'finds as many passages as without it if the file of the best document has expired, beside %i ingestions that are not visible',
    async (hidden) => {
      await store.run(
        `INSERT INTO ingestions (id, document_id, index_id, user_id, file_id, owns_file, hash, title, metadata, version, chunked_count)
      SELECT gen_random_uuid(), document_id, index_id, user_id, file_id, false, hash, 'hidden', '{}', 1000 + number, 1
      FROM (SELECT ingestions.* FROM ingestions JOIN collection_indexes ON collection_indexes.id = ingestions.index_id
        WHERE collection_id = $1 LIMIT 1) AS one CROSS JOIN generate_series(1, $2::int) AS number`,
        [large, hidden],
      );
      // Its chunks are the best of all.
      const [best = ''] = textsOf((number) => number === 124).slice(7);
      await store.addDocument(largeIndex, {
        title: 'hidden',
        texts: Array.from({ length: 20 }, (_, chunk) => `${best} hidden${chunk}`),
        vectors: Array.from({ length: 20 }, () => unitVector('topic124 part7', DIMENSIONS)),
        metadata: { number: 125, tenth: 4 },
        isVisible: false,
      });
      const requests = (['hybrid', 'lexical', 'vector'] as const).flatMap((mode) =>
        [undefined, parseMetadataFilter({ number: { gte: 60 } }), parseMetadataFilter({ tenth: 4 })].map(
          (filter) => ({
            query: 'topic124 part7',
            collections: [large],
            mode,
            filter,
            includeIrrelevant: true,
          }),
        ),
      );
      const isOf124 = (text: string): boolean => text.includes('topic124 ');
      for (const request of requests) {
        const texts = await findTexts(userId, request);
        expect({
          request,
          count: texts.length,
          hidden: texts.filter((text) => text.includes('hidden')),
        }).toEqual({ request, count: 10, hidden: [] });
        expect(texts.some(isOf124)).toBe(true);
      }
      const expire = `UPDATE files SET expires_at = $1 WHERE id = (
      SELECT file_id FROM ingestions JOIN collection_indexes ON collection_indexes.id = ingestions.index_id
      WHERE collection_id = $2 AND ingestions.metadata->>'number' = '124')`;
      await store.run(expire, [new Date(0), large]);
      for (const request of requests) {
        const texts = await findTexts(userId, request);
        expect({ request, texts: texts.length, gone: texts.filter(isOf124) }).toEqual({
          request,
          texts: 10,
          gone: [],
        });
      }
      await store.run(expire, [null, large]);
      await store.run("DELETE FROM documents WHERE title = 'hidden'", []);
      await store.run("DELETE FROM ingestions WHERE title = 'hidden'", []);
    },
  );

  it('does not hide what small collections have', async () => {
    const { hits } = await find(userId, { query: 'common', collections: [small], includeIrrelevant: true });
    expect(hits).toHaveLength(5);
    expect(hits.every(({ collectionId }) => collectionId === small)).toBe(true);
  });

  it('finds a passage by its rare word among frequent ones, which alone find it too', async () => {
    const [text = ''] = stored[123] ?? [];
    expect(
      (
        await findTexts(userId, {
          query: 'common words topic123 part0',
          collections: [large],
          mode: 'lexical',
        })
      )[0],
    ).toBe(text);
    const { hits } = await find(userId, { query: 'common words', collections: [large], mode: 'lexical' });
    expect(hits).toHaveLength(10);
    const filtered = await find(userId, {
      query: 'common words topic123',
      collections: [large],
      mode: 'lexical',
      filter: parseMetadataFilter({ tenth: { ne: 3 } }),
    });
    expect(filtered.hits.map(({ text: one }) => one)).not.toContain(text);
    expect(filtered.hits).toHaveLength(10);
  });

  it('has no relevant passage by a form of one word, which most of them have, and those by a rare word', async () => {
    const request = { collections: [large], mode: 'lexical' } as const;
    expect(await findTexts(userId, { ...request, query: 'the commonwealth of the zebra' })).toEqual([]);
    expect(
      await findTexts(userId, {
        ...request,
        query: 'the commonwealth of the zebra',
        includeIrrelevant: true,
      }),
    ).toHaveLength(10);
    const found = await findTexts(userId, {
      ...request,
      query: 'the commonwealth of the zebra 123',
      topK: 50,
    });
    expect([...found].sort()).toEqual([...(stored[123] ?? [])].sort());
  });

  it('is searched by the index of pgvector once it is valid, which a broken one is not', async () => {
    const service = new VectorIndexService(indexes);
    await service.buildMissingIndexes(SIGNAL);
    const [index] = await indexes.listIndexes();
    if (index === undefined) {
      const [extension] = await store.run(`SELECT 1 FROM pg_extension WHERE extname = 'vector'`);
      expect(extension).toBeUndefined();
      console.log('SKIPPED: the index of pgvector: the database server does not have pgvector');
      return;
    }
    expect(index).toMatchObject({ dimensions: DIMENSIONS, isValid: true });
    await expectRecall(
      'hnsw',
      textsOf(() => true),
    );
    // With pgvector the database compares the vectors, also where the index is not read.
    await expectRecallOfParts();
    await expectRecallOfOthers();
    expect(
      (await find(userId, { query: 'common', collections: [small], includeIrrelevant: true })).hits,
    ).toHaveLength(5);

    const name = `chunk_embeddings_halfvec_${DIMENSIONS}`;
    await store.run(`UPDATE pg_index SET indisvalid = false WHERE indexrelid = '${name}'::regclass`);
    expect(await new VectorIndexRepository(store.prisma).findValidIndex(DIMENSIONS)).toBeUndefined();
    // An index of an earlier version, which the new one replaces.
    const former = `chunk_embeddings_hnsw_${DIMENSIONS}`;
    await store.run(`CREATE INDEX ${former} ON chunk_embeddings (ordinal)`);
    await service.buildMissingIndexes(SIGNAL);
    expect(await indexes.listIndexes()).toMatchObject([{ dimensions: DIMENSIONS, isValid: true }]);
    expect(await store.run(`SELECT to_regclass('${former}')::text AS former`)).toEqual([{ former: null }]);
  }, 300_000);
});

function dot(one: readonly number[], other: readonly number[]): number {
  return one.reduce((sum, value, position) => sum + value * (other[position] ?? 0), 0);
}
