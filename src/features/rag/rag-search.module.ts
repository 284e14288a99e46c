import { Module } from '@nestjs/common';
import { LlmModule } from '../../llm/index.js';
import { CollectionRepository } from './collections/collection.repository.js';
import { CollectionService } from './collections/collection.service.js';
import { LexicalSearchRepository } from './chunks/lexical-search.repository.js';
import { LexicalSearchService } from './chunks/lexical-search.service.js';
import { PassageRepository } from './chunks/passage.repository.js';
import { SearchScopeRepository } from './chunks/search-scope.repository.js';
import { VectorIndexRepository } from './chunks/vector-index.repository.js';
import { VectorSearchRepository } from './chunks/vector-search.repository.js';
import { VectorSearchService } from './chunks/vector-search.service.js';
import { PassageFinder } from './search/passage-finder.js';
import { PassageSearchService } from './search/passage-search.service.js';
import { ProviderQueryEmbedder, QueryEmbedder } from './search/query-embedder.js';
import { VectorLeg } from './search/vector-leg.js';

/** The search for passages in the collections of an account. */
@Module({
  imports: [LlmModule],
  providers: [
    CollectionRepository,
    CollectionService,
    LexicalSearchRepository,
    LexicalSearchService,
    PassageFinder,
    PassageRepository,
    PassageSearchService,
    { provide: QueryEmbedder, useClass: ProviderQueryEmbedder },
    SearchScopeRepository,
    VectorIndexRepository,
    VectorLeg,
    VectorSearchRepository,
    VectorSearchService,
  ],
  exports: [CollectionRepository, CollectionService, PassageFinder, PassageRepository, PassageSearchService],
})
export class RagSearchModule {}
