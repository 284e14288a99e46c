import { BullModule } from '@nestjs/bullmq';
import { Module } from '@nestjs/common';
import { registerQueue } from '../../infra/queue/index.js';
import { FileCoreModule } from '../files/index.js';
import { ChunkRepository } from './chunks/chunk.repository.js';
import { DocumentChangeRepository } from './ingest/document-change.repository.js';
import { DocumentReadRepository } from './ingest/document-read.repository.js';
import { DocumentRepository } from './ingest/document.repository.js';
import { INGESTIONS_QUEUE } from './ingest/ingestion.jobs.js';
import { IngestionQueue } from './ingest/ingestion.queue.js';
import { IngestionService } from './ingest/ingestion.service.js';
import { ReindexRepository } from './ingest/reindex.repository.js';
import { ReindexService } from './ingest/reindex.service.js';

/** Providers that the API and the worker share: documents, and the queue that announces their ingestions. */
@Module({
  imports: [FileCoreModule, registerQueue(INGESTIONS_QUEUE)],
  providers: [
    ChunkRepository,
    DocumentChangeRepository,
    DocumentReadRepository,
    DocumentRepository,
    IngestionQueue,
    IngestionService,
    ReindexRepository,
    ReindexService,
  ],
  exports: [
    BullModule,
    ChunkRepository,
    DocumentChangeRepository,
    DocumentReadRepository,
    DocumentRepository,
    FileCoreModule,
    IngestionQueue,
    IngestionService,
    ReindexRepository,
    ReindexService,
  ],
})
export class RagCoreModule {}
