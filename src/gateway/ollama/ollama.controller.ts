import { Body, Controller, Get, HttpCode, Post, Res } from '@nestjs/common';
import { ApiBody, ApiExtraModels, ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import type { Response } from 'express';
import type { Caller } from '../../common/caller.js';
import {
  CurrentCaller,
  ModelRoute,
  SchemaPipe,
  Scope,
  sendLineStream,
  UserId,
  withClientSignal,
} from '../../http/index.js';
import {
  OLLAMA_CHAT_DOC,
  OLLAMA_CHAT_EXAMPLE,
  OLLAMA_GENERATE_DOC,
  OLLAMA_GENERATE_EXAMPLE,
  OLLAMA_MODEL_ERRORS,
  OLLAMA_TAGS_EXAMPLE,
  OllamaErrors,
} from './documentation.js';
import { OllamaErrorBody, toOllamaError } from './error-format.js';
import type { OllamaChatBody, OllamaGenerateBody, OllamaRequest } from './ollama-request.mapper.js';
import { OllamaService } from './ollama.service.js';
import { OLLAMA_CHAT, OLLAMA_GENERATE } from './schemas.js';

@Scope('chat')
@ApiTags('ollama')
@ApiExtraModels(OllamaErrorBody)
@Controller('ollama/api')
export class OllamaController {
  constructor(private readonly ollama: OllamaService) {}

  @Post('chat')
  @HttpCode(200)
  @ModelRoute()
  @ApiOperation({
    summary: 'Chat in Ollama’s API format',
    description:
      'Returns the response of the configured Ollama server, byte for byte. It streams unless `stream` is false. Disconnecting cancels the call to the server.',
  })
  @ApiBody({ schema: OLLAMA_CHAT_DOC })
  @ApiOkResponse({ description: 'The answer.', content: OLLAMA_CHAT_EXAMPLE })
  @OllamaErrors(...OLLAMA_MODEL_ERRORS)
  chat(
    @CurrentCaller() caller: Caller,
    @Body(new SchemaPipe<OllamaChatBody>(OLLAMA_CHAT)) body: OllamaChatBody,
    @Res() response: Response,
  ): Promise<void> {
    return this.answer(caller, { path: '/api/chat', body }, response);
  }

  @Post('generate')
  @HttpCode(200)
  @ModelRoute()
  @ApiOperation({
    summary: 'Complete a prompt in Ollama’s API format',
    description:
      'Returns the response of the configured Ollama server, byte for byte. It streams unless `stream` is false.',
  })
  @ApiBody({ schema: OLLAMA_GENERATE_DOC })
  @ApiOkResponse({ description: 'The answer.', content: OLLAMA_GENERATE_EXAMPLE })
  @OllamaErrors(...OLLAMA_MODEL_ERRORS)
  generate(
    @CurrentCaller() caller: Caller,
    @Body(new SchemaPipe<OllamaGenerateBody>(OLLAMA_GENERATE)) body: OllamaGenerateBody,
    @Res() response: Response,
  ): Promise<void> {
    return this.answer(caller, { path: '/api/generate', body }, response);
  }

  @Get('tags')
  @ApiOperation({
    summary: 'List the models of the Ollama server',
    description: 'Returns the server’s own list, unchanged.',
  })
  @ApiOkResponse({ description: 'The list of models.', content: OLLAMA_TAGS_EXAMPLE })
  @OllamaErrors('unauthorized', 'provider_error', 'provider_unavailable', 'provider_timeout')
  async tags(@UserId() userId: string, @Res() response: Response): Promise<void> {
    const text = await withClientSignal(response, (signal) => this.ollama.tags(userId, signal));
    response.type('json').send(text);
  }

  private async answer(caller: Caller, request: OllamaRequest, response: Response): Promise<void> {
    if (request.body.stream === false) {
      const text = await withClientSignal(response, (signal) =>
        this.ollama.complete(caller, request, signal),
      );
      response.type('json').send(text);
      return;
    }
    await sendLineStream(response, {
      lines: (signal) => this.ollama.stream(caller, request, signal),
      failure: toOllamaError,
    });
  }
}
