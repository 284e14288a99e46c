import { Module } from '@nestjs/common';
import { LlmModule } from '../../llm/index.js';
import { MessagesController } from './messages.controller.js';
import { MessagesService } from './messages.service.js';
import { ModelsController } from './models.controller.js';
import { ModelsService } from './models.service.js';

/** Anthropic's protocol for every provider. */
@Module({
  imports: [LlmModule],
  controllers: [MessagesController, ModelsController],
  providers: [MessagesService, ModelsService],
})
export class AnthropicGatewayModule {}
