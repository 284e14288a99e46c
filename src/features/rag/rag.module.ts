import { Module } from '@nestjs/common';
import { LlmModule } from '../../llm/index.js';
import { CollectionShareRepository } from './collections/collection-share.repository.js';
import { CollectionShareService } from './collections/collection-share.service.js';
import { CollectionSharesController } from './collections/collection-shares.controller.js';
import { CollectionsController } from './collections/collections.controller.js';
import { CollectionReindexer } from './documents/collection-reindexer.js';
import { DocumentEvents } from './documents/document-events.js';
import { DocumentReceiver } from './documents/document-receiver.js';
import { DocumentService } from './documents/document.service.js';
import { DocumentsController } from './documents/documents.controller.js';
import { ReindexController } from './documents/reindex.controller.js';
import { RagCoreModule } from './rag-core.module.js';
import { RagSearchModule } from './rag-search.module.js';
import { PassageReranker } from './search/passage-reranker.js';
import { QueryResponder } from './search/query-responder.js';
import { QueryService } from './search/query.service.js';
import { RerankedSearch } from './search/reranked-search.js';
import { ScopedSearch } from './search/scoped-search.js';
import { SearchController } from './search/search.controller.js';

/** Retrieval, for the API. */
@Module({
  imports: [LlmModule, RagCoreModule, RagSearchModule],
  controllers: [
    CollectionsController,
    CollectionSharesController,
    DocumentsController,
    ReindexController,
    SearchController,
  ],
  providers: [
    CollectionReindexer,
    CollectionShareRepository,
    CollectionShareService,
    DocumentEvents,
    DocumentReceiver,
    DocumentService,
    PassageReranker,
    QueryResponder,
    QueryService,
    RerankedSearch,
    ScopedSearch,
  ],
  exports: [RagSearchModule],
})
export class RagModule {}
