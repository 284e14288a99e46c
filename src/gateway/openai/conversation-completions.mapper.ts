import { answerCaching, type Caller, hasScope } from '../../common/caller.js';
import { AppError, InvalidRequestError } from '../../common/errors.js';
import type { OutgoingEvent } from '../../common/event-stream.js';
import { isId } from '../../common/ids.js';
import type { ChatMessage } from '../../llm/index.js';
import {
  type AnswerStream,
  type FinishedAnswer,
  followAnswer,
  type NewMessage,
  toCallDelta,
  toIdempotency,
  toOpenAiToolCalls,
  type TurnRequest,
} from '../../features/chat/index.js';
import { parseFileId } from './file-id.js';
import { fileIdsOf } from './file-parts.service.js';
import { toUsage } from './chat-completions.mapper.js';
import type { ChatCompletionBody } from './chat-completions.service.js';

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

/** Parameters that a stored answer, which consists of text and tool calls, cannot represent. */
const REFUSED = ['logprobs', 'audio', 'web_search_options', 'functions', 'function_call'] as const;

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
  const { model, messages, stream: _stream, stream_options: _options, cache, n, ...parameters } = body;
  if (typeof n === 'number' && n > 1) throw refused('n');
  for (const name of REFUSED) if (parameters[name]) throw refused(name);
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

function refused(name: string): AppError {
  const message = `X-Conversation-ID cannot be combined with '${name}'. Omit one of them.`;
  return new AppError('invalid_request', message, { param: name });
}

/** Converts a finished answer to the format of Chat Completions. */
export function toConversationCompletion({ answerId }: AnswerStream, answer: FinishedAnswer) {
  const { text, calls, model, usage, completedAt } = answer;
  return {
    id: idOf(answerId),
    object: 'chat.completion',
    created: secondsOf(completedAt),
    model,
    choices: [
      {
        index: 0,
        message: {
          role: 'assistant',
          content: text === '' && calls.length > 0 ? null : text,
          refusal: null,
          ...(calls.length > 0 && { tool_calls: toOpenAiToolCalls(calls) }),
        },
        logprobs: null,
        finish_reason: reasonOf(answer),
      },
    ],
    usage: toUsage(usage),
  };
}

/**
 * Streams an answer as Chat Completions chunks, `[DONE]` last.
 * @throws AppError if there is no finished answer, or if the answer restarted, which this protocol cannot
 * express
 */
export async function* toConversationChunks(
  source: AnswerStream,
  signal: AbortSignal,
  includeUsage: boolean,
): AsyncGenerator<OutgoingEvent> {
  const created = secondsOf(new Date());
  const chunk = (choices: readonly object[], usage?: object): OutgoingEvent => {
    const { model } = source.snapshot();
    const head = { id: idOf(source.answerId), object: 'chat.completion.chunk', created, model };
    return { data: { ...head, choices, ...(includeUsage && { usage: usage ?? null }) } };
  };
  const choice = (delta: object, finish_reason: string | null = null) => ({ index: 0, delta, finish_reason });
  yield chunk([choice({ role: 'assistant', content: '' })]);
  for await (const event of followAnswer(source, signal)) {
    switch (event.type) {
      case 'delta':
        yield chunk([choice({ content: event.delta })]);
        break;
      case 'call':
        yield chunk([choice({ tool_calls: [toCallDelta(event.piece)] })]);
        break;
      case 'restarted':
        throw restartedError(source);
      case 'ended':
        if ('error' in event.outcome) throw event.outcome.error;
        yield chunk([choice({}, reasonOf(event.outcome))]);
        if (includeUsage) yield chunk([], toUsage(event.outcome.usage));
        yield { data: '[DONE]' };
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

const idOf = (answerId: string): string => `chatcmpl-${answerId}`;
const secondsOf = (time: Date): number => Math.floor(time.getTime() / 1000);
