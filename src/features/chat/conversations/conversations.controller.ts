import { Body, Controller, Delete, Get, HttpCode, Param, Patch, Query } from '@nestjs/common';
import { ApiNoContentResponse, ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import { ApiErrors, ApiPage, IdParams, type Page, Scope, toPage, UserId } from '../../../http/index.js';
import {
  ConversationBody,
  ConversationsQuery,
  ListedConversationBody,
  UpdateConversationBody,
} from './conversation.dto.js';
import { MessageBody, MessagesQuery } from '../messages/message.dto.js';
import {
  toChanges,
  toConversationBody,
  toFilter,
  toListedConversation,
  toSearch,
} from './conversation.mapper.js';
import { toListedMessageBody } from '../messages/message.mapper.js';
import { ConversationService } from './conversation.service.js';
import { SearchService } from './search.service.js';

@Scope('chat')
@ApiTags('conversations')
@Controller('api/v1/conversations')
export class ConversationsController {
  constructor(
    private readonly conversations: ConversationService,
    private readonly search: SearchService,
  ) {}

  @Get()
  @ApiOperation({
    summary: 'List your conversations, newest first',
    description: 'Lists all conversations, or with `q` those that match the search.',
  })
  @ApiPage(ListedConversationBody)
  @ApiErrors('invalid_request', 'unauthorized')
  async list(
    @UserId() userId: string,
    @Query() query: ConversationsQuery,
  ): Promise<Page<ListedConversationBody>> {
    const rows =
      query.q === undefined
        ? await this.conversations.listConversations(userId, toFilter(query), query.slice())
        : await this.search.searchConversations(userId, toSearch(query.q, query), query.slice());
    return toPage(rows, query.limit, toListedConversation);
  }

  @Get(':id')
  @ApiOperation({ summary: 'Get a conversation' })
  @ApiOkResponse({ type: ConversationBody, description: 'The conversation.' })
  @ApiErrors('invalid_request', 'unauthorized', 'not_found')
  async get(@UserId() userId: string, @Param() { id }: IdParams): Promise<ConversationBody> {
    return toConversationBody(await this.conversations.getConversation(userId, id));
  }

  @Patch(':id')
  @ApiOperation({
    summary: 'Update a conversation’s title, system prompt, or archived or pinned state',
    description:
      'Omitted fields stay unchanged. An update does not count as a turn: `updated_at` does not change.',
  })
  @ApiOkResponse({ type: ConversationBody, description: 'The updated conversation.' })
  @ApiErrors('invalid_request', 'unauthorized', 'not_found', 'payload_too_large', 'unsupported_media_type')
  async update(
    @UserId() userId: string,
    @Param() { id }: IdParams,
    @Body() body: UpdateConversationBody,
  ): Promise<ConversationBody> {
    return toConversationBody(await this.conversations.update(userId, id, toChanges(body)));
  }

  @Get(':id/messages')
  @ApiOperation({
    summary: 'List the messages of a conversation, oldest first',
    description:
      'Lists the messages of the active path; with `branches=all` also those that were replaced, each with its `parent_id`.',
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
      'Deletes the conversation with all its messages. A running turn is stopped; its usage remains recorded.',
  })
  @ApiNoContentResponse({ description: 'The conversation was deleted.' })
  @ApiErrors('invalid_request', 'unauthorized', 'not_found')
  delete(@UserId() userId: string, @Param() { id }: IdParams): Promise<void> {
    return this.conversations.delete(userId, id);
  }
}
