import { Body, Controller, Headers, HttpCode, Post, Res } from '@nestjs/common';
import { ApiBody, ApiHeader, ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import type { Response } from 'express';
import type { Caller } from '../../common/caller.js';
import {
  ApiErrors,
  ApiIdempotencyKey,
  CurrentCaller,
  FieldScope,
  IdempotencyKey,
  MODEL_ERRORS,
  ModelRoute,
  SchemaPipe,
  Scope,
  sendEventStream,
  sendJsonText,
  setModelResponseHeaders,
  withClientSignal,
} from '../../http/index.js';
import { toCanonicalChat } from './canonical-body.js';
import type { ChatCompletionBody } from './chat-completion-body.js';
import { ChatCompletionsService } from './chat-completions.service.js';
import { CONVERSATION, NEW_CONVERSATION } from './conversation-completions.mapper.js';
import { ConversationCompletionsSender } from './conversation-completions.sender.js';
import { CHAT_COMPLETION_DOC, CHAT_COMPLETION_EXAMPLE, CHAT_COMPLETION_REQUESTS } from './documentation.js';
import { CHAT_COMPLETION } from './schemas.js';

@Scope('chat')
@ApiTags('openai')
@Controller('v1/chat/completions')
export class ChatCompletionsController {
  constructor(
    private readonly completions: ChatCompletionsService,
    private readonly conversations: ConversationCompletionsSender,
  ) {}

  @Post()
  @HttpCode(200)
  @ModelRoute()
  @FieldScope('collection', 'rag')
  @ApiOperation({
    summary: 'Create a chat completion',
    description:
      'OpenAI’s API format for every provider: existing clients only change their base URL and key. With `stream: true` the response is a stream of `chat.completion.chunk` events and `[DONE]`. Disconnecting cancels the call to the provider. With `X-Conversation-ID` the request is a turn of that conversation: only the messages after the last answer are new, earlier ones are already stored, system and developer messages apply to this turn only, and the answer is still generated and stored if the client disconnects. With `collection` the answer is based on passages of documents and has their `sources`.',
  })
  @ApiHeader({
    name: 'X-Conversation-ID',
    required: false,
    description:
      'Conversation that the request continues; `new` creates one and returns its id in the response header of the same name.',
    schema: { type: 'string', pattern: CONVERSATION, example: NEW_CONVERSATION },
  })
  @ApiIdempotencyKey()
  @ApiBody({ schema: CHAT_COMPLETION_DOC, examples: CHAT_COMPLETION_REQUESTS })
  @ApiOkResponse({ description: 'The answer.', content: CHAT_COMPLETION_EXAMPLE })
  @ApiErrors(...MODEL_ERRORS, 'not_found', 'conversation_busy', 'idempotency_key_reused', 'reindex_required')
  async create(
    @CurrentCaller() caller: Caller,
    @Body(new SchemaPipe(CHAT_COMPLETION, toCanonicalChat)) body: ChatCompletionBody,
    @Headers('x-conversation-id') conversation: string | undefined,
    @IdempotencyKey() key: string | undefined,
    @Res() response: Response,
  ): Promise<void> {
    if (conversation !== undefined) return this.conversations.send(response, caller, body, conversation, key);
    if (body.stream === true) return this.stream(caller, body, response);
    const { completion, head } = await withClientSignal(response, (signal) =>
      this.completions.complete(caller, body, signal),
    );
    setModelResponseHeaders(response, head);
    sendJsonText(response, completion);
  }

  private stream(caller: Caller, body: ChatCompletionBody, response: Response): Promise<void> {
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
