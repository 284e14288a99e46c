import { Module } from '@nestjs/common';
import { ChatModule } from '../../features/chat/index.js';
import { FilesModule } from '../../features/files/index.js';
import { RagModule } from '../../features/rag/index.js';
import { LlmModule } from '../../llm/index.js';
import { ChatCompletionsController } from './chat-completions.controller.js';
import { ChatCompletionsService } from './chat-completions.service.js';
import { CompletionPassagesService } from './completion-passages.service.js';
import { CompletionsController } from './completions.controller.js';
import { CompletionsService } from './completions.service.js';
import { ConversationCompletionsSender } from './conversation-completions.sender.js';
import { EmbeddingsController } from './embeddings.controller.js';
import { EmbeddingsService } from './embeddings.service.js';
import { FilePartsService } from './file-parts.service.js';
import { OpenAiFilesController } from './files.controller.js';
import { OpenAiFilesService } from './files.service.js';
import { ModelsController } from './models.controller.js';
import { OpenAiModelsService } from './models.service.js';

/** OpenAI's protocol for every provider. */
@Module({
  imports: [ChatModule, FilesModule, LlmModule, RagModule],
  controllers: [
    ChatCompletionsController,
    CompletionsController,
    EmbeddingsController,
    ModelsController,
    OpenAiFilesController,
  ],
  providers: [
    ChatCompletionsService,
    CompletionPassagesService,
    CompletionsService,
    ConversationCompletionsSender,
    EmbeddingsService,
    FilePartsService,
    OpenAiFilesService,
    OpenAiModelsService,
  ],
})
export class OpenAiGatewayModule {}
