import { Inject, Injectable } from '@nestjs/common';
import type { ConfigType } from '@nestjs/config';
import type { AccountAccess } from '../../../common/caller.js';
import { contextConfig } from '../../../config/index.js';
import { type CallHandling, ModelCatalog } from '../../../llm/index.js';
import { packKey } from '../chunks/postings.js';
import { PassageRepository } from '../chunks/passage.repository.js';
import { CollectionService } from '../collections/collection.service.js';
import { numberSources, type ShownSource } from './answer-source.js';
import { type PassageBlock, toPassageBlock } from './passages-prompt.js';
import { DEFAULT_TOP_K } from './search-request.js';
import { PassageSearchService } from './passage-search.service.js';
import type { StoredSource } from './stored-source.js';

/** Maximum share of the input of a model that passages take beside a conversation. */
const PASSAGE_SHARE = 1 / 2;

/** Estimated tokens of the passages for an answer, to reserve before they are found: five chunks. */
export const PASSAGE_TOKENS = 4_000;

/** A question of a conversation to collections. */
export interface PassageQuestion {
  readonly access: AccountAccess;
  readonly question: string;
  readonly collectionIds: readonly string[];
  /** Model that answers. */
  readonly model: string;
  /** Tokens that the rest of the request leaves. */
  readonly maxTokens: number;
  /** Handling of the calls that embed the question. Default: that of a request. */
  readonly handling?: CallHandling | undefined;
}

/** Finds passages for the answers of conversations. */
@Injectable()
export class PassageFinder {
  constructor(
    private readonly collections: CollectionService,
    private readonly searches: PassageSearchService,
    private readonly passages: PassageRepository,
    private readonly models: ModelCatalog,
    @Inject(contextConfig.KEY) private readonly config: ConfigType<typeof contextConfig>,
  ) {}

  /**
   * Returns the ids of collections that an account may read.
   * @param references ids, or names of its own; undefined for the default collection
   * @throws NotFoundError
   */
  async resolveCollections(userId: string, references: readonly (string | undefined)[]): Promise<string[]> {
    const ids: string[] = [];
    for (const reference of references)
      ids.push((await this.collections.resolveForSearch(userId, reference)).id);
    return [...new Set(ids)];
  }

  /**
   * Finds the passages for a question, as many as fit beside its conversation; undefined if there are none.
   * @throws AppError as `PassageSearchService.search` does
   */
  async findPassages(
    { access, question: query, collectionIds: collections, model, maxTokens, handling }: PassageQuestion,
    signal: AbortSignal,
  ): Promise<PassageBlock | undefined> {
    const request = {
      query,
      collections,
      mode: 'hybrid',
      topK: DEFAULT_TOP_K,
      explain: false,
      handling,
    } as const;
    const { hits } = await this.searches.search(access, request, signal);
    if (hits.length === 0) return undefined;
    const { tokens } = await this.models.contextWindow(model);
    const room = Math.floor(Math.min(this.config.maxTokens, tokens) * PASSAGE_SHARE);
    return toPassageBlock(numberSources(hits), Math.min(room, maxTokens));
  }

  /** Returns stored sources with the texts that the account may still read. */
  async readSources(userId: string, stored: readonly StoredSource[]): Promise<ShownSource[]> {
    if (stored.length === 0) return [];
    const collectionIds = [...new Set(stored.map(({ collectionId }) => collectionId))];
    const found = await this.passages.readPassages({ userId, collectionIds }, stored);
    const byKey = new Map(found.map((passage) => [passage.key, passage]));
    return stored.map((source) => {
      const { index, ingestionId: _id, ordinal: _ordinal, ...passage } = source;
      const { title = null, text = null } = byKey.get(packKey(source)) ?? {};
      return { index, hit: { ...passage, title, text } };
    });
  }
}
