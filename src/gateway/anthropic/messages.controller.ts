import { Body, Controller, Headers, HttpCode, Post, Res, UseInterceptors } from '@nestjs/common';
import { ApiBody, ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import type { Response } from 'express';
import type { Caller } from '../../common/caller.js';
import {
  ApiErrors,
  CurrentCaller,
  MODEL_ERRORS,
  ModelRoute,
  requestIdOf,
  SchemaPipe,
  Scope,
  sendEventStream,
  setModelResponseHeaders,
  Stateless,
  withClientSignal,
} from '../../http/index.js';
import { COUNT_DOC, COUNT_EXAMPLE, MESSAGE_DOC, MESSAGE_EXAMPLE } from './documentation.js';
import { toErrorEvent } from './errors.js';
import type { CountBody, MessagesBody, AnthropicHeaders } from './messages-body.js';
import { MessagesService } from './messages.service.js';
import { RequestIdInterceptor } from './request-id.interceptor.js';
import { COUNT_TOKENS, MESSAGES } from './schemas.js';

@Scope('chat')
@ApiTags('anthropic')
@UseInterceptors(RequestIdInterceptor)
@Controller('v1/messages')
export class MessagesController {
  constructor(private readonly messages: MessagesService) {}

  @Post()
  @HttpCode(200)
  @ModelRoute()
  @Stateless()
  @ApiOperation({
    summary: 'Create a message',
    description:
      'Anthropic’s API format for every provider: existing clients only change their base URL and key. With `stream: true` the response is a stream of Anthropic’s events. Requests to providers that use this format, and their responses, are passed through unchanged. Errors have Anthropic’s format as well: `{"type":"error","error":{"type","message"},"request_id"}`. Disconnecting cancels the call to the provider.',
  })
  @ApiBody({ schema: MESSAGE_DOC })
  @ApiOkResponse({ description: 'The answer.', content: MESSAGE_EXAMPLE })
  @ApiErrors(...MODEL_ERRORS)
  async create(
    @CurrentCaller() caller: Caller,
    @Headers() headers: AnthropicHeaders,
    @Body(new SchemaPipe<MessagesBody>(MESSAGES)) body: MessagesBody,
    @Res() response: Response,
  ): Promise<void> {
    if (body.stream === true) return this.stream(caller, headers, body, response);
    const { message, head } = await withClientSignal(response, (signal) =>
      this.messages.complete({ caller, headers, body, signal }),
    );
    setModelResponseHeaders(response, head);
    if (typeof message === 'string') response.type('application/json').send(message);
    else response.json(message);
  }

  @Post('count_tokens')
  @HttpCode(200)
  @ModelRoute()
  @ApiOperation({
    summary: 'Count the tokens of a request',
    description:
      'Uses the provider’s own count if it supports Anthropic’s API format, otherwise an estimate.',
  })
  @ApiBody({ schema: COUNT_DOC })
  @ApiOkResponse({ description: 'Number of tokens.', content: COUNT_EXAMPLE })
  @ApiErrors(...MODEL_ERRORS)
  async count(
    @CurrentCaller() caller: Caller,
    @Headers() headers: AnthropicHeaders,
    @Body(new SchemaPipe<CountBody>(COUNT_TOKENS)) body: CountBody,
    @Res() response: Response,
  ): Promise<void> {
    const input_tokens = await withClientSignal(response, (signal) =>
      this.messages.count({ caller, headers, body, signal }),
    );
    response.json({ input_tokens });
  }

  private stream(
    caller: Caller,
    headers: AnthropicHeaders,
    body: MessagesBody,
    response: Response,
  ): Promise<void> {
    return sendEventStream(response, {
      begin: 'first_event',
      headers: {},
      failure: (error) => toErrorEvent(error, requestIdOf(response)),
      events: (signal) =>
        this.messages.stream({ caller, headers, body, signal }, (head) => {
          setModelResponseHeaders(response, head);
        }),
    });
  }
}
