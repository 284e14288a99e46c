import { Body, Controller, Get, Headers, HttpCode, Param, Post, Res } from '@nestjs/common';
import {
  ApiExtraModels,
  ApiHeader,
  ApiOkResponse,
  ApiOperation,
  ApiTags,
  getSchemaPath,
} from '@nestjs/swagger';
import type { Response } from 'express';
import type { Caller } from '../../common/caller.js';
import type { ErrorCode } from '../../common/errors.js';
import {
  ApiErrors,
  ApiIdempotencyKey,
  CurrentCaller,
  IdempotencyKey,
  ModelRoute,
  Scope,
  sendEventStream,
  UserId,
  whileHere,
} from '../../http/index.js';
import { AnswerService } from './answer.service.js';
import { AnswerBody, AnswerParams, ChatBody } from './chat.dto.js';
import {
  answerHeaders,
  EVENT_ID,
  toAnswerBody,
  toChatEvents,
  toIdempotency,
  toPosition,
  toTurnRequest,
} from './chat.mapper.js';
import { MessageBody } from './conversation.dto.js';
import { toMessageBody } from './conversation.mapper.js';
import type { Idempotency } from './turn.js';
import { TurnService } from './turn.service.js';

/** How a turn can be refused before anything is stored. */
const REFUSALS = [
  'invalid_request',
  'unauthorized',
  'not_found',
  'model_not_found',
  'conversation_busy',
  'idempotency_key_reused',
  'payload_too_large',
  'unsupported_media_type',
  'price_unknown',
  'rate_limit_exceeded',
  'quota_exceeded',
  'provider_unavailable',
] as const satisfies readonly ErrorCode[];

/** How the model can fail after that. */
const FAILURES = [
  'provider_rejected',
  'context_length_exceeded',
  'content_policy_violation',
  'provider_rate_limited',
  'provider_error',
  'overloaded',
  'provider_timeout',
] as const satisfies readonly ErrorCode[];

const EVENTS_EXAMPLE = `id: 1.0
data: {"delta":"","conversation_id":"0199…","message_id":"0199…","finished":false}

id: 1.7
data: {"delta":"Because","conversation_id":"0199…","message_id":"0199…","finished":false}

id: 1.46
data: {"delta":"","finished":true,"conversation_id":"0199…","message_id":"0199…","model":"demo/echo","tokens_used":46,"usage":{"prompt_tokens":12,"completion_tokens":34,"total_tokens":46},"cost_estimate":0,"finish_reason":"stop","cached":false}

data: [DONE]
`;

const EVENTS = { 'text/event-stream': { schema: { type: 'string' }, example: EVENTS_EXAMPLE } };

/** What `Idempotency-Key` tells apart requests by, beside the account. */
const CHAT = 'POST /api/v1/chat';
const STREAM = 'POST /api/v1/chat/stream';

@Scope('chat')
@ApiTags('chat')
@Controller('api/v1/chat')
export class ChatController {
  constructor(
    private readonly turns: TurnService,
    private readonly answers: AnswerService,
  ) {}

  @Post()
  @HttpCode(200)
  @ModelRoute()
  @ApiOperation({
    summary: 'Ask a model',
    description:
      'The message is stored before the model is asked. The answer goes on, and is stored, if you leave, unless you say `on_disconnect: cancel`.',
  })
  @ApiIdempotencyKey()
  @ApiExtraModels(AnswerBody)
  @ApiOkResponse({
    description: 'The answer; with `stream` the answer as it comes, as on `/api/v1/chat/stream`.',
    content: { 'application/json': { schema: { $ref: getSchemaPath(AnswerBody) } }, ...EVENTS },
  })
  @ApiErrors(...REFUSALS, ...FAILURES)
  async chat(
    @CurrentCaller() caller: Caller,
    @IdempotencyKey() key: string | undefined,
    @Body() body: ChatBody,
    @Res() response: Response,
  ): Promise<void> {
    if (body.stream === true) return this.send(caller, toIdempotency(CHAT, key, body), body, response);
    const begun = await this.turns.begin(toTurnRequest(caller, body, toIdempotency(CHAT, key, body)));
    response.set(answerHeaders(begun));
    const answer = await whileHere(response, (signal) => {
      if (body.on_disconnect === 'cancel') this.answers.stopOn(signal, caller.userId, begun.answer);
      return this.turns.answer(begun.answer, signal);
    });
    response.json(toAnswerBody(begun.answer, answer));
  }

  @Post('stream')
  @HttpCode(200)
  @ModelRoute()
  @ApiOperation({
    summary: 'Ask a model and read the answer as it comes',
    description:
      'Server-Sent Events. The first event carries the ids and no text; each further one the next piece in `delta`; the last one `finished: true` with usage and cost, then `[DONE]`. A failure after the stream has begun is `data: {"error": …}` and ends it. Where the answer begins again on another model an event says `restart: true`: drop all deltas so far. Lines that begin with a colon are pings. A stream that breaks is rejoined at `GET /api/v1/chat/stream/{message_id}`.',
  })
  @ApiIdempotencyKey()
  @ApiOkResponse({ description: 'The answer as it comes.', content: EVENTS })
  @ApiErrors(...REFUSALS)
  stream(
    @CurrentCaller() caller: Caller,
    @IdempotencyKey() key: string | undefined,
    @Body() body: ChatBody,
    @Res() response: Response,
  ): Promise<void> {
    return this.send(caller, toIdempotency(STREAM, key, body), body, response);
  }

  @Get('stream/:message_id')
  @ApiOperation({
    summary: 'Read on in an answer',
    description:
      'The events of an answer, from behind the one that the header `Last-Event-ID` names, or from the beginning, to its end: while it is generated by whichever process, and afterwards from what is stored.',
  })
  @ApiHeader({
    name: 'Last-Event-ID',
    required: false,
    description: 'The `id` of the last event that you saw. Browsers send it by themselves.',
    schema: { type: 'string', pattern: EVENT_ID.source, example: '1.7' },
  })
  @ApiOkResponse({ description: 'The answer as it comes.', content: EVENTS })
  @ApiErrors('invalid_request', 'unauthorized', 'not_found')
  async rejoin(
    @UserId() userId: string,
    @Param() { message_id }: AnswerParams,
    @Headers('last-event-id') lastEventId: string | undefined,
    @Res() response: Response,
  ): Promise<void> {
    const from = toPosition(lastEventId);
    const answer = await this.answers.find(userId, message_id);
    await sendEventStream(response, {
      begin: 'at_once',
      headers: answerHeaders({ answer, replayed: false }),
      events: (signal) => toChatEvents(answer, signal, from),
    });
  }

  @Post(':message_id/stop')
  @HttpCode(200)
  @ApiOperation({
    summary: 'Stop an answer',
    description:
      'Answers when the call to the model is closed. What came so far is kept and billed; the answer is `interrupted`, with `finish_reason: stopped`. One that has ended already stays as it is.',
  })
  @ApiOkResponse({ type: MessageBody, description: 'The answer as it is now.' })
  @ApiErrors('invalid_request', 'unauthorized', 'not_found')
  async stop(@UserId() userId: string, @Param() { message_id }: AnswerParams): Promise<MessageBody> {
    return toMessageBody(await this.answers.stop(userId, message_id));
  }

  private async send(
    caller: Caller,
    idempotency: Idempotency | undefined,
    body: ChatBody,
    response: Response,
  ): Promise<void> {
    const begun = await this.turns.begin(toTurnRequest(caller, body, idempotency));
    await sendEventStream(response, {
      begin: 'at_once',
      headers: answerHeaders(begun),
      events: (signal) => {
        if (body.on_disconnect === 'cancel') this.answers.stopOn(signal, caller.userId, begun.answer);
        return toChatEvents(begun.answer, signal);
      },
    });
  }
}
