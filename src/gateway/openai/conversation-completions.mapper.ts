import { answerCaching, type Caller, hasScope } from '../../common/caller.js';
import { AppError, InvalidRequestError } from '../../common/errors.js';
import type { OutgoingEvent } from '../../common/event-stream.js';
import { isId } from '../../common/ids.js';
import type { ChatMessage } from '../../llm/index.js';
import {
  type AnswerSources,
  type AnswerStream,
  type FinishedAnswer,
  followAnswer,
  type NewMessage,
  toCallDelta,
  toIdempotency,
  type TurnRequest,
} from '../../features/chat/index.js';
import { toSourceBody } from '../../features/rag/index.js';
import { parseFileId } from './file-id.js';
import { fileIdsOf } from './file-parts.service.js';
import { assertPlainAnswer } from './assert-plain-answer.js';
import type { ChatCompletionBody } from './chat-completion-body.js';
import { requestsJson, toRetrieval } from './completion-retrieval.js';
import { OwnChunks, toOwnCompletion } from './own-completion.js';

/** Value of `X-Conversation-ID` that creates a conversation. */
export const NEW_CONVERSATION = 'new';

/** Pattern of the header's valid values. */
export const CONVERSATION = `^(${NEW_CONVERSATION}|[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})$`;

/** Scope of an `Idempotency-Key`, together with the account. */
const ROUTE = 'POST /v1/chat/completions';

/** Maximum number of messages, and of characters in all of them, that one request stores. */
const MAX_MESSAGES = 1_000;
const MAX_CHARACTERS = 1_000_000;

/** Maximum number of files of one question, as in the native API. */
const MAX_FILES = 10;

/**
 * Converts a Chat Completions request to a turn: the messages after the last answer are new, system and
 * developer messages apply to this turn, and everything before is known from the conversation.
 * @throws InvalidRequestError
 */
export function toTurn(
  caller: Caller,
  conversation: string,
  key: string | undefined,
  body: ChatCompletionBody,
): TurnRequest {
  if (conversation !== NEW_CONVERSATION && !isId(conversation)) throw noConversationId();
  // A stored answer cannot represent anything else.
  assertPlainAnswer(body, 'X-Conversation-ID');
  const { model, messages, stream: _stream, stream_options: _options, cache, n: _n, ...rest } = body;
  const { collection: _collection, ...parameters } = rest;
  const retrieval = toRetrieval(body);
  const prompts = messages.filter(({ role }) => role === 'system' || role === 'developer').map(textOf);
  const newerMessages = messages.slice(messages.findLastIndex(({ role }) => role === 'assistant') + 1);
  if (newerMessages.length > MAX_MESSAGES)
    throw wrong(`has more than ${MAX_MESSAGES} messages after the last answer`);
  const newMessages = newerMessages.flatMap(toNewMessages);
  const characters = newMessages.reduce((sum, { content }) => sum + content.length, 0);
  if (characters > MAX_CHARACTERS)
    throw wrong(`has more than ${MAX_CHARACTERS} characters after the last answer`);
  if (
    newMessages.flatMap((message) => (message.role === 'user' ? (message.fileIds ?? []) : [])).length >
    MAX_FILES
  )
    throw wrong(`has more than ${MAX_FILES} files after the last answer`);
  if (newMessages.length === 0)
    throw wrong('must end with a user message or tool results for the model to answer');
  return {
    target: {
      type: 'next',
      conversationId: conversation === NEW_CONVERSATION ? undefined : conversation,
      systemPrompt: undefined,
      compaction: undefined,
      newMessages,
    },
    spec: {
      userId: caller.userId,
      apiKeyId: caller.apiKeyId,
      model,
      parameters,
      // OpenAI's clients leave the temperature to the model.
      defaultTemperature: undefined,
      instructions: prompts.length === 0 ? null : prompts.join('\n\n'),
      // OpenAI's format cannot make a client discard what it has received.
      restart: 'never',
      cache: answerCaching(caller, cache),
    },
    collections: retrieval?.collections,
    question: retrieval?.question,
    mayRetrieve: hasScope(caller, 'rag'),
    // OpenAI's clients parse answers themselves.
    checkOutput: false,
    idempotency: toIdempotency(ROUTE, key, { conversation }, body),
  };
}

function toNewMessages(message: ChatMessage): NewMessage[] {
  switch (message.role) {
    case 'user':
      return [
        {
          role: 'user',
          content: textOf(message),
          fileIds: [...new Set(fileIdsOf(message).map(parseFileId))],
        },
      ];
    case 'tool':
      return [{ role: 'tool', content: textOf(message), toolCallId: message.tool_call_id }];
    case 'function':
      throw wrong("accepts tool results with the role 'tool', not 'function'");
    default:
      return [];
  }
}

/** Returns the text of a message. A conversation stores no other content, except uploaded files by their ids. */
function textOf({ content }: ChatMessage): string {
  const parts = typeof content === 'string' ? [{ type: 'text' as const, text: content }] : (content ?? []);
  return parts
    .flatMap((part) => {
      if (part.type === 'text') return part.text;
      if (part.type === 'file' && part.file.file_id !== undefined) return [];
      throw wrong(
        `contains a part of type '${part.type}', but a conversation stores text only; omit X-Conversation-ID, or upload the file and send its file_id`,
      );
    })
    .join('\n');
}

function noConversationId(): InvalidRequestError {
  const message = `X-Conversation-ID must be the id of a conversation, or \`${NEW_CONVERSATION}\``;
  return new InvalidRequestError(`${message}.`, [{ field: 'X-Conversation-ID', message }]);
}

function wrong(message: string): InvalidRequestError {
  return new InvalidRequestError(`messages ${message}.`, [{ field: 'messages', message }]);
}

/** Converts a finished answer to the format of Chat Completions. */
export function toConversationCompletion(
  { answerId }: AnswerStream,
  body: ChatCompletionBody,
  answer: FinishedAnswer,
  sources: AnswerSources | undefined,
) {
  return toOwnCompletion({
    ...answer,
    id: answerId,
    createdAt: answer.completedAt,
    finishReason: reasonOf(answer),
    sources: sources?.map(toSourceBody),
    isRefusal: isRefusal(body, sources),
  });
}

/** Returns true if JSON was requested of collections in which nothing was found: then the answer is a sentence. */
function isRefusal(body: ChatCompletionBody, sources: AnswerSources | undefined): boolean {
  return sources?.length === 0 && requestsJson(body);
}

/**
 * Streams an answer as Chat Completions chunks, `[DONE]` last.
 * @throws AppError if there is no finished answer, or if the answer restarted, which this protocol cannot
 * express
 */
export async function* toConversationChunks(
  source: AnswerStream,
  body: ChatCompletionBody,
  signal: AbortSignal,
): AsyncGenerator<OutgoingEvent> {
  const chunks = new OwnChunks({
    id: source.answerId,
    createdAt: new Date(),
    readModel: () => source.snapshot().model,
    includeUsage: body.stream_options?.include_usage === true,
  });
  const sources = await source.readSources(signal);
  const field = isRefusal(body, sources) ? 'refusal' : 'content';
  yield chunks.begin(sources?.map(toSourceBody));
  for await (const event of followAnswer(source, signal)) {
    switch (event.type) {
      case 'delta':
        yield chunks.add({ [field]: event.delta });
        break;
      case 'call':
        yield chunks.add({ tool_calls: [toCallDelta(event.piece)] });
        break;
      case 'restarted':
        throw restartedError(source);
      case 'ended':
        if ('error' in event.outcome) throw event.outcome.error;
        yield* chunks.end(reasonOf(event.outcome), event.outcome.usage);
    }
  }
}

function restartedError({ conversationId, answerId }: AnswerStream): AppError {
  return new AppError(
    'provider_error',
    `The answer was restarted, so discard the text received so far. It is still being generated: read the message ${answerId} of the conversation ${conversationId} once it has ended.`,
    { retryable: false },
  );
}

/** Returns the finish reason. Clients know no reason for a stopped answer, so it counts as a normal end. */
function reasonOf({ status, finishReason }: FinishedAnswer): string {
  return status === 'stopped' ? 'stop' : finishReason;
}
