import { Body, Controller, HttpCode, Post, Res } from '@nestjs/common';
import { ApiExtraModels, ApiOkResponse, ApiOperation, ApiTags, getSchemaPath } from '@nestjs/swagger';
import type { Response } from 'express';
import type { Caller } from '../../common/caller.js';
import type { ErrorCode } from '../../common/errors.js';
import { ApiErrors, CurrentCaller, ModelRoute, Scope, sendEventStream, whileHere } from '../../http/index.js';
import { AnswerBody, ChatBody } from './chat.dto.js';
import { toAnswerBody, toChatEvents, toTurnRequest, turnHeaders } from './chat.mapper.js';
import { TurnService } from './turn.service.js';

/** How a turn can be refused before anything is stored. */
const REFUSALS = [
  'invalid_request',
  'unauthorized',
  'not_found',
  'model_not_found',
  'conversation_busy',
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

@Scope('chat')
@ApiTags('chat')
@Controller('api/v1/chat')
export class ChatController {
  constructor(private readonly turns: TurnService) {}

  @Post()
  @HttpCode(200)
  @ModelRoute()
  @ApiOperation({
    summary: 'Ask a model',
    description:
      'The message is stored before the model is asked. The answer goes on, and is stored, if you leave.',
  })
  @ApiExtraModels(AnswerBody)
  @ApiOkResponse({
    description: 'The complete answer; with `stream` the answer as it comes, as on `/api/v1/chat/stream`.',
    content: { 'application/json': { schema: { $ref: getSchemaPath(AnswerBody) } }, ...EVENTS },
  })
  @ApiErrors(...REFUSALS, ...FAILURES)
  async chat(
    @CurrentCaller() caller: Caller,
    @Body() body: ChatBody,
    @Res() response: Response,
  ): Promise<void> {
    if (body.stream === true) return this.stream(caller, body, response);
    const live = await this.turns.begin(toTurnRequest(caller, body));
    response.set(turnHeaders(live.turn));
    // The turn goes on without its client, so the signal of its leaving is of no use here.
    const answer = await whileHere(response, () => this.turns.answer(live));
    response.json(toAnswerBody(live.turn, answer));
  }

  @Post('stream')
  @HttpCode(200)
  @ModelRoute()
  @ApiOperation({
    summary: 'Ask a model and read the answer as it comes',
    description:
      'Server-Sent Events. The first event carries the ids and no text; each further one the next piece in `delta`; the last one `finished: true` with usage and cost, then `[DONE]`. A failure after the stream has begun is `data: {"error": …}` and ends it. Lines that begin with a colon are pings.',
  })
  @ApiOkResponse({ description: 'The answer as it comes.', content: EVENTS })
  @ApiErrors(...REFUSALS)
  async stream(
    @CurrentCaller() caller: Caller,
    @Body() body: ChatBody,
    @Res() response: Response,
  ): Promise<void> {
    const live = await this.turns.begin(toTurnRequest(caller, body));
    await sendEventStream(response, {
      begin: 'at_once',
      headers: turnHeaders(live.turn),
      events: (signal) => toChatEvents(live, signal),
    });
  }
}
