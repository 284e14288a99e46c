import { Body, Controller, Get, HttpCode, Param, Post, Query, Res } from '@nestjs/common';
import { ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import type { Response } from 'express';
import type { Caller } from '../../../common/caller.js';
import {
  ApiErrors,
  ApiPage,
  ApiRequestExamples,
  CurrentCaller,
  FieldScope,
  IdempotencyKey,
  ModelRoute,
  type Page,
  PageQuery,
  Scope,
  toPage,
  UserId,
} from '../../../http/index.js';
import { TurnResponder } from '../turns/turn-responder.js';
import { ApiAnswer } from '../turns/chat.openapi.js';
import { QuestionBody, SourcedGenerationBody } from '../turns/chat.dto.js';
import { EDIT_REQUESTS, REGENERATION_REQUESTS } from '../turns/request-examples.openapi.js';
import { toEditTurn, toIdempotency, toRegenerateTurn } from '../turns/chat.mapper.js';
import { ConversationBody } from './conversation.dto.js';
import { MessageBody, MessageParams } from '../messages/message.dto.js';
import { toConversationBody } from './conversation.mapper.js';
import { toListedMessageBody } from '../messages/message.mapper.js';
import { ConversationService } from './conversation.service.js';
import { TurnService } from '../turns/turn.service.js';

/** Route names that scope an `Idempotency-Key`, together with the account. */
const REGENERATE = 'POST /api/v1/conversations/{id}/messages/{message_id}/regenerate';
const EDIT = 'POST /api/v1/conversations/{id}/messages/{message_id}/edit';

@Scope('chat')
@ApiTags('conversations')
@Controller('api/v1/conversations/:id/messages/:message_id')
export class MessageBranchesController {
  constructor(
    private readonly turns: TurnService,
    private readonly conversations: ConversationService,
    private readonly responder: TurnResponder,
  ) {}

  @Post('regenerate')
  @HttpCode(200)
  @ModelRoute()
  @FieldScope('collection', 'rag')
  @ApiRequestExamples(SourcedGenerationBody, REGENERATION_REQUESTS)
  @ApiOperation({
    summary: 'Regenerate an answer',
    description:
      'Generates a new answer in place of an existing one, or to a question. The previous answer and everything after it are kept as another branch; the new answer is on the active path. Model and parameters default to those of the previous answer.',
  })
  @ApiAnswer()
  async regenerate(
    @CurrentCaller() caller: Caller,
    @IdempotencyKey() key: string | undefined,
    @Param() params: MessageParams,
    @Body() body: SourcedGenerationBody,
    @Res() response: Response,
  ): Promise<void> {
    const idempotency = toIdempotency(REGENERATE, key, params, body);
    const started = await this.turns.beginTurn(toRegenerateTurn(caller, params, body, idempotency));
    return this.responder.sendAnswer(response, caller, started, body);
  }

  @Post('edit')
  @HttpCode(200)
  @ModelRoute()
  @FieldScope('collection', 'rag')
  @ApiRequestExamples(QuestionBody, EDIT_REQUESTS)
  @ApiOperation({
    summary: 'Edit a message',
    description:
      'Sends a new message in place of one of yours. The original message and everything after it are kept as another branch; the new message and its answer are on the active path. Model and parameters default to those of the previous answer.',
  })
  @ApiAnswer()
  async edit(
    @CurrentCaller() caller: Caller,
    @IdempotencyKey() key: string | undefined,
    @Param() params: MessageParams,
    @Body() body: QuestionBody,
    @Res() response: Response,
  ): Promise<void> {
    const idempotency = toIdempotency(EDIT, key, params, body);
    const started = await this.turns.beginTurn(toEditTurn(caller, params, body, idempotency));
    return this.responder.sendAnswer(response, caller, started, body);
  }

  @Post('activate')
  @HttpCode(200)
  @ApiOperation({
    summary: 'Switch to another branch',
    description:
      'Makes the path through this message active, down to its newest leaf, which the next message follows. If the path is already active, nothing changes.',
  })
  @ApiOkResponse({ type: ConversationBody, description: 'The conversation in its current state.' })
  @ApiErrors('invalid_request', 'unauthorized', 'not_found', 'conversation_busy')
  async activate(
    @UserId() userId: string,
    @Param() { id, message_id }: MessageParams,
  ): Promise<ConversationBody> {
    return toConversationBody(await this.conversations.activate(userId, id, message_id));
  }

  @Get('siblings')
  @ApiOperation({
    summary: 'List the alternatives to a message, oldest first',
    description: 'Lists all messages with the same parent, including this one.',
  })
  @ApiPage(MessageBody)
  @ApiErrors('invalid_request', 'unauthorized', 'not_found')
  async siblings(
    @UserId() userId: string,
    @Param() { id, message_id }: MessageParams,
    @Query() page: PageQuery,
  ): Promise<Page<MessageBody>> {
    const siblings = await this.conversations.siblings(userId, id, message_id, page.slice());
    return toPage(siblings, page.limit, toListedMessageBody);
  }
}
