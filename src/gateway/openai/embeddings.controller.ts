import { Body, Controller, HttpCode, Post, Res } from '@nestjs/common';
import { ApiBody, ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import type { Response } from 'express';
import type { Caller } from '../../common/caller.js';
import {
  ApiErrors,
  CurrentCaller,
  MODEL_ERRORS,
  ModelRoute,
  SchemaPipe,
  Scope,
  withClientSignal,
} from '../../http/index.js';
import { EMBEDDING_DOC, EMBEDDING_EXAMPLE } from './documentation.js';
import { type EmbeddingBody, EmbeddingsService } from './embeddings.service.js';
import { EMBEDDING } from './schemas.js';

@Scope('chat')
@ApiTags('openai')
@Controller('v1/embeddings')
export class EmbeddingsController {
  constructor(private readonly embeddings: EmbeddingsService) {}

  @Post()
  @HttpCode(200)
  @ModelRoute()
  @ApiOperation({
    summary: 'Create embeddings',
    description: 'OpenAI’s API format. Vectors are floats, or base64 of little-endian float32.',
  })
  @ApiBody({ schema: EMBEDDING_DOC })
  @ApiOkResponse({ description: 'Vectors, in the order of the input.', content: EMBEDDING_EXAMPLE })
  @ApiErrors(...MODEL_ERRORS)
  async create(
    @CurrentCaller() caller: Caller,
    @Body(new SchemaPipe<EmbeddingBody>(EMBEDDING)) body: EmbeddingBody,
    @Res() response: Response,
  ): Promise<void> {
    const embeddings = await withClientSignal(response, (signal) =>
      this.embeddings.create(caller, body, signal),
    );
    response.json(embeddings);
  }
}
