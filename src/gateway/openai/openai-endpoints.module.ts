import { Module } from '@nestjs/common';
import { AccountAccessModule } from '../../features/auth/index.js';
import { BatchEndpoints } from '../../features/batches/index.js';
import { AttachmentsModule } from '../../features/chat/index.js';
import { FileCoreModule } from '../../features/files/index.js';
import { RagSearchModule } from '../../features/rag/index.js';
import { LlmModule } from '../../llm/index.js';
import { OpenAiBatchEndpoints } from './batch-endpoints.service.js';
import { ChatCompletionsService } from './chat-completions.service.js';
import { CompletionPassagesService } from './completion-passages.service.js';
import { CompletionsService } from './completions.service.js';
import { EmbeddingsService } from './embeddings.service.js';
import { FilePartsService } from './file-parts.service.js';

/** Stateless requests of OpenAI's protocol without routes, for every process that answers them. */
@Module({
  imports: [AccountAccessModule, AttachmentsModule, FileCoreModule, LlmModule, RagSearchModule],
  providers: [
    { provide: BatchEndpoints, useClass: OpenAiBatchEndpoints },
    ChatCompletionsService,
    CompletionPassagesService,
    CompletionsService,
    EmbeddingsService,
    FilePartsService,
  ],
  exports: [
    BatchEndpoints,
    ChatCompletionsService,
    CompletionPassagesService,
    CompletionsService,
    EmbeddingsService,
    FilePartsService,
  ],
})
export class OpenAiEndpointsModule {}
