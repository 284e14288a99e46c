import { Module } from '@nestjs/common';
import { BatchesCoreModule } from '../../features/batches/index.js';
import { ChatModule } from '../../features/chat/index.js';
import { FilesModule } from '../../features/files/index.js';
import { RagModule } from '../../features/rag/index.js';
import { LlmModule } from '../../llm/index.js';
import { OpenAiBatchesController } from './batches.controller.js';
import { OpenAiBatchesService } from './batches.service.js';
import { ChatCompletionsController } from './chat-completions.controller.js';
import { CompletionsController } from './completions.controller.js';
import { ConversationCompletionsSender } from './conversation-completions.sender.js';
import { EmbeddingsController } from './embeddings.controller.js';
import { OpenAiFilesController } from './files.controller.js';
import { OpenAiFilesService } from './files.service.js';
import { ModelsController } from './models.controller.js';
import { OpenAiEndpointsModule } from './openai-endpoints.module.js';
import { OpenAiModelsService } from './models.service.js';

/** OpenAI's protocol for every provider. */
@Module({
  imports: [BatchesCoreModule, ChatModule, FilesModule, LlmModule, OpenAiEndpointsModule, RagModule],
  controllers: [
    ChatCompletionsController,
    CompletionsController,
    EmbeddingsController,
    ModelsController,
    OpenAiBatchesController,
    OpenAiFilesController,
  ],
  providers: [ConversationCompletionsSender, OpenAiBatchesService, OpenAiFilesService, OpenAiModelsService],
})
export class OpenAiGatewayModule {}
