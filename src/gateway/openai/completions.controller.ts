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
  sendEventStream,
  setModelResponseHeaders,
  Stateless,
  withClientSignal,
} from '../../http/index.js';
import { toCanonicalCompletion } from './canonical-body.js';
import { type CompletionBody, CompletionsService } from './completions.service.js';
import { COMPLETION_DOC, COMPLETION_EXAMPLE } from './documentation.js';
import { COMPLETION } from './schemas.js';

@Scope('chat')
@ApiTags('openai')
@Controller('v1/completions')
export class CompletionsController {
  constructor(private readonly completions: CompletionsService) {}

  @Post()
  @HttpCode(200)
  @ModelRoute()
  @Stateless()
  @ApiOperation({
    summary: 'Create a completion',
    description: 'OpenAI’s legacy API format, for chat models.',
  })
  @ApiBody({ schema: COMPLETION_DOC })
  @ApiOkResponse({ description: 'The answer.', content: COMPLETION_EXAMPLE })
  @ApiErrors(...MODEL_ERRORS)
  async create(
    @CurrentCaller() caller: Caller,
    @Body(new SchemaPipe(COMPLETION, toCanonicalCompletion)) body: CompletionBody,
    @Res() response: Response,
  ): Promise<void> {
    if (body.stream === true) return this.stream(caller, body, response);
    const { completion, head } = await withClientSignal(response, (signal) =>
      this.completions.complete(caller, body, signal),
    );
    setModelResponseHeaders(response, head);
    response.json(completion);
  }

  private stream(caller: Caller, body: CompletionBody, response: Response): Promise<void> {
    return sendEventStream(response, {
      begin: 'first_event',
      headers: {},
      events: (signal) =>
        this.completions.stream(caller, body, signal, (head) => {
          setModelResponseHeaders(response, head);
        }),
    });
  }
}
