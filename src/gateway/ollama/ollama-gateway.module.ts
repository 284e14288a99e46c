import { Module } from '@nestjs/common';
import { LlmModule } from '../../llm/index.js';
import { OllamaController } from './ollama.controller.js';
import { OllamaService } from './ollama.service.js';

/** Ollama's protocol, passed through to the configured server. */
@Module({ imports: [LlmModule], controllers: [OllamaController], providers: [OllamaService] })
export class OllamaGatewayModule {}
