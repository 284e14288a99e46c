import { Controller, Delete, Get, HttpCode, Param, Query } from '@nestjs/common';
import { ApiNoContentResponse, ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import {
  ApiErrors,
  ApiPage,
  IdParams,
  type Page,
  PageQuery,
  Scope,
  toPage,
  UserId,
} from '../../http/index.js';
import { ConversationBody, MessageBody, MessagesQuery } from './conversation.dto.js';
import { toConversationBody, toListedMessageBody } from './conversation.mapper.js';
import { ConversationService } from './conversation.service.js';

@Scope('chat')
@ApiTags('conversations')
@Controller('api/v1/conversations')
export class ConversationsController {
  constructor(private readonly conversations: ConversationService) {}

  @Get()
  @ApiOperation({ summary: 'Your conversations, newest first' })
  @ApiPage(ConversationBody)
  @ApiErrors('invalid_request', 'unauthorized')
  async list(@UserId() userId: string, @Query() page: PageQuery): Promise<Page<ConversationBody>> {
    return toPage(await this.conversations.list(userId, page.slice()), page.limit, toConversationBody);
  }

  @Get(':id')
  @ApiOperation({ summary: 'One conversation' })
  @ApiOkResponse({ type: ConversationBody, description: 'The conversation.' })
  @ApiErrors('invalid_request', 'unauthorized', 'not_found')
  async get(@UserId() userId: string, @Param() { id }: IdParams): Promise<ConversationBody> {
    return toConversationBody(await this.conversations.get(userId, id));
  }

  @Get(':id/messages')
  @ApiOperation({
    summary: 'The messages of a conversation, oldest first',
    description:
      'Those of the active path; with `branches=all` those that were replaced as well, each with its `parent_id`.',
  })
  @ApiPage(MessageBody)
  @ApiErrors('invalid_request', 'unauthorized', 'not_found')
  async messages(
    @UserId() userId: string,
    @Param() { id }: IdParams,
    @Query() query: MessagesQuery,
  ): Promise<Page<MessageBody>> {
    const messages = await this.conversations.messages(userId, id, query.slice(), query.branches);
    return toPage(messages, query.limit, toListedMessageBody);
  }

  @Delete(':id')
  @HttpCode(204)
  @ApiOperation({
    summary: 'Delete a conversation',
    description:
      'With all its messages. A turn that runs in it is stopped; what it used stays accounted for.',
  })
  @ApiNoContentResponse({ description: 'It is gone.' })
  @ApiErrors('invalid_request', 'unauthorized', 'not_found')
  delete(@UserId() userId: string, @Param() { id }: IdParams): Promise<void> {
    return this.conversations.delete(userId, id);
  }
}
