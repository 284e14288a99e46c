import { Module } from '@nestjs/common';
import { LlmModule } from '../../llm/index.js';
import { UsageModule } from '../usage/index.js';
import { ChunkingStage } from './ingest/chunking-stage.js';
import { EmbeddingStage } from './ingest/embedding-stage.js';
import { IngestionFinishRepository } from './ingest/ingestion-finish.repository.js';
import { IngestionProcessor } from './ingest/ingestion.processor.js';
import { IngestionRepository } from './ingest/ingestion.repository.js';
import { IngestionRunnerService } from './ingest/ingestion-runner.service.js';
import { IngestionStoreRepository } from './ingest/ingestion-store.repository.js';
import { RetrievalDeletionRepository } from './ingest/retrieval-deletion.repository.js';
import { RetrievalSweep } from './ingest/retrieval-sweep.js';
import { RagCoreModule } from './rag-core.module.js';
import { VectorIndexModule } from './vector-index.module.js';

/** The jobs of retrieval, for the process that runs jobs. */
@Module({
  imports: [LlmModule, RagCoreModule, UsageModule, VectorIndexModule],
  providers: [
    ChunkingStage,
    EmbeddingStage,
    IngestionFinishRepository,
    IngestionProcessor,
    IngestionRepository,
    IngestionRunnerService,
    IngestionStoreRepository,
    RetrievalDeletionRepository,
    RetrievalSweep,
  ],
})
export class RagWorkerModule {}
