import { Body, Controller, Get, Headers, HttpCode, Param, Post, Res } from '@nestjs/common';
import { ApiHeader, ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import type { Response } from 'express';
import type { Caller } from '../../../common/caller.js';
import {
  ApiErrors,
  ApiRequestExamples,
  CurrentCaller,
  FieldScope,
  IdempotencyKey,
  ModelRoute,
  Scope,
  sendEventStream,
  UserId,
} from '../../../http/index.js';
import { TurnResponder } from './turn-responder.js';
import { AnswerService } from '../generation/answer.service.js';
import { ApiAnswer, ApiAnswerStream, EVENT_STREAM_CONTENT } from './chat.openapi.js';
import { AnswerParams } from './answer.dto.js';
import { ChatBody, ToolResultsBody } from './chat.dto.js';
import { MESSAGE_REQUESTS, TOOL_RESULT_REQUESTS } from './request-examples.openapi.js';
import {
  toAnswerHeaders,
  EVENT_ID,
  toChatEvents,
  toIdempotency,
  toNextTurn,
  parseEventId,
  toToolResultsTurn,
} from './chat.mapper.js';
import { MessageBody } from '../messages/message.dto.js';
import { toMessageBody } from '../messages/message.mapper.js';
import { TurnService } from './turn.service.js';

/** Route names that scope an `Idempotency-Key`, together with the account. */
const CHAT = 'POST /api/v1/chat';
const STREAM = 'POST /api/v1/chat/stream';
const TOOL_RESULTS = 'POST /api/v1/chat/{message_id}/tool-results';

@Scope('chat')
@ApiTags('chat')
@Controller('api/v1/chat')
export class ChatController {
  constructor(
    private readonly turns: TurnService,
    private readonly answers: AnswerService,
    private readonly responder: TurnResponder,
  ) {}

  @Post()
  @HttpCode(200)
  @ModelRoute()
  @FieldScope('collection', 'rag')
  @ApiRequestExamples(ChatBody, MESSAGE_REQUESTS)
  @ApiOperation({
    summary: 'Send a message',
    description:
      'The message is stored before it is sent to the model. If the client disconnects, the answer is still generated and stored, unless `on_disconnect` is `cancel`.',
  })
  @ApiAnswer()
  async chat(
    @CurrentCaller() caller: Caller,
    @IdempotencyKey() key: string | undefined,
    @Body() body: ChatBody,
    @Res() response: Response,
  ): Promise<void> {
    const started = await this.turns.beginTurn(toNextTurn(caller, body, toIdempotency(CHAT, key, body)));
    return this.responder.sendAnswer(response, caller, started, body);
  }

  @Post('stream')
  @HttpCode(200)
  @ModelRoute()
  @FieldScope('collection', 'rag')
  @ApiRequestExamples(ChatBody, MESSAGE_REQUESTS)
  @ApiOperation({
    summary: 'Send a message and stream the answer',
    description:
      'Server-Sent Events. The first event carries the ids and no text; each following event carries the next piece of text in `delta`; the last one has `finished: true` with usage and cost, followed by `[DONE]`. A failure after the stream has started is sent as `data: {"error": …}` and ends the stream. If the answer starts over on another model, an event has `restart: true`: discard all deltas so far. Lines that begin with a colon are pings. Resume a broken stream with `GET /api/v1/chat/stream/{message_id}`.',
  })
  @ApiAnswerStream()
  async stream(
    @CurrentCaller() caller: Caller,
    @IdempotencyKey() key: string | undefined,
    @Body() body: ChatBody,
    @Res() response: Response,
  ): Promise<void> {
    const started = await this.turns.beginTurn(toNextTurn(caller, body, toIdempotency(STREAM, key, body)));
    return this.responder.sendAnswer(response, caller, started, body, 'stream');
  }

  @Get('stream/:message_id')
  @ApiOperation({
    summary: 'Resume an answer stream',
    description:
      'Streams the events of an answer after the one that `Last-Event-ID` names, or from the beginning, until the answer ends. Works while any process generates the answer, and afterwards from the stored answer.',
  })
  @ApiHeader({
    name: 'Last-Event-ID',
    required: false,
    description: 'The `id` of the last event received. Browsers send it automatically.',
    schema: { type: 'string', pattern: EVENT_ID.source, example: '1.7' },
  })
  @ApiOkResponse({ description: 'The answer, as it is generated.', content: EVENT_STREAM_CONTENT })
  @ApiErrors('invalid_request', 'unauthorized', 'not_found')
  async rejoin(
    @UserId() userId: string,
    @Param() { message_id }: AnswerParams,
    @Headers('last-event-id') lastEventId: string | undefined,
    @Res() response: Response,
  ): Promise<void> {
    const from = parseEventId(lastEventId);
    const answer = await this.answers.findAnswer(userId, message_id);
    await sendEventStream(response, {
      begin: 'at_once',
      headers: toAnswerHeaders({ answer, replayed: false }),
      events: (signal) => toChatEvents(answer, signal, from),
    });
  }

  @Post(':message_id/tool-results')
  @HttpCode(200)
  @ModelRoute()
  @ApiRequestExamples(ToolResultsBody, TOOL_RESULT_REQUESTS)
  @ApiOperation({
    summary: 'Submit tool results',
    description:
      'Sends the results of an answer’s tool calls to the model, which then continues. Submit the results of all calls of the answer together. Tools, model and parameters default to those of that answer; `tool_choice` defaults to `auto`. Sending the request twice without an `Idempotency-Key` creates two branches.',
  })
  @ApiAnswer()
  async toolResults(
    @CurrentCaller() caller: Caller,
    @IdempotencyKey() key: string | undefined,
    @Param() params: AnswerParams,
    @Body() body: ToolResultsBody,
    @Res() response: Response,
  ): Promise<void> {
    const idempotency = toIdempotency(TOOL_RESULTS, key, params, body);
    const started = await this.turns.beginTurn(toToolResultsTurn(caller, params, body, idempotency));
    return this.responder.sendAnswer(response, caller, started, body);
  }

  @Post(':message_id/stop')
  @HttpCode(200)
  @ApiOperation({
    summary: 'Stop an answer',
    description:
      'Responds once the call to the model is closed. The text so far is kept and billed; the answer becomes `interrupted`, with `finish_reason: stopped`. An answer that has already ended stays unchanged.',
  })
  @ApiOkResponse({ type: MessageBody, description: 'The answer in its current state.' })
  @ApiErrors('invalid_request', 'unauthorized', 'not_found')
  async stop(@UserId() userId: string, @Param() { message_id }: AnswerParams): Promise<MessageBody> {
    return toMessageBody(await this.answers.stopAnswer(userId, message_id));
  }
}
