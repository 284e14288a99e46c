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
  sendJsonText,
  setAnswerHead,
  whileHere,
} from '../../http/index.js';
import { type ChatCompletionBody, ChatCompletionsService } from './chat-completions.service.js';
import { CHAT_COMPLETION_DOC, CHAT_COMPLETION_EXAMPLE } from './documentation.js';
import { CHAT_COMPLETION } from './schemas.js';

@Scope('chat')
@ApiTags('openai')
@Controller('v1/chat/completions')
export class ChatCompletionsController {
  constructor(private readonly completions: ChatCompletionsService) {}

  @Post()
  @HttpCode(200)
  @ModelRoute()
  @ApiOperation({
    summary: 'Chat Completions',
    description:
      'OpenAI’s wire over every provider: clients of it only change their base URL and key. With `stream: true` it answers with `chat.completion.chunk` events and `[DONE]`. Leaving ends the call upstream.',
  })
  @ApiBody({ schema: CHAT_COMPLETION_DOC })
  @ApiOkResponse({ description: 'The answer.', content: CHAT_COMPLETION_EXAMPLE })
  @ApiErrors(...MODEL_ERRORS)
  async create(
    @CurrentCaller() caller: Caller,
    @Body(new SchemaPipe<ChatCompletionBody>(CHAT_COMPLETION)) body: ChatCompletionBody,
    @Res() response: Response,
  ): Promise<void> {
    if (body.stream === true) return this.stream(caller, body, response);
    const { completion, head } = await whileHere(response, (signal) =>
      this.completions.complete(caller, body, signal),
    );
    setAnswerHead(response, head);
    sendJsonText(response, completion);
  }

  private stream(caller: Caller, body: ChatCompletionBody, response: Response): Promise<void> {
    return sendEventStream(response, {
      begin: 'first_event',
      headers: {},
      events: (signal) =>
        this.completions.stream(caller, body, signal, (head) => {
          setAnswerHead(response, head);
        }),
    });
  }
}
