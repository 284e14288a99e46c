import { Module } from '@nestjs/common';
import { LlmModule } from '../../llm/index.js';
import { MessagesController } from './messages.controller.js';
import { MessagesService } from './messages.service.js';
import { AnthropicModelsController } from './models.controller.js';
import { AnthropicModelsService } from './models.service.js';

/** Anthropic's protocol for every provider. */
@Module({
  imports: [LlmModule],
  controllers: [MessagesController, AnthropicModelsController],
  providers: [MessagesService, AnthropicModelsService],
})
export class AnthropicGatewayModule {}
