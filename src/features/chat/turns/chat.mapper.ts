import { createHash } from 'node:crypto';
import { answerCaching, type Caller, hasScope } from '../../../common/caller.js';
import { InvalidRequestError } from '../../../common/errors.js';
import { toUsd } from '../../../common/money.js';
import type { OutgoingEvent } from '../../../common/event-stream.js';
import type { TokenUsage } from '../../../llm/index.js';
import type {
  ChatBody,
  GenerationBody,
  QuestionBody,
  SourcedGenerationBody,
  ToolResultsBody,
} from './chat.dto.js';
import type { AnswerBody, AnswerParams } from './answer.dto.js';
import type { UsageBody } from '../messages/usage.dto.js';
import type { MessageParams } from '../messages/message.dto.js';
import {
  type AnswerIds,
  type AnswerStream,
  startPosition,
  followAnswer,
  type AnswerPosition,
} from '../streams/answer-stream.js';
import { toSourceBody } from '../../rag/index.js';
import { toOmittedPagesBody, toOmittedPagesField, toSourcesField } from '../messages/message.mapper.js';
import type { AnswerSources } from '../model/answer-sources.js';
import type { OmittedPages } from '../model/omitted-pages.js';
import { type PositionedPiece, toOpenAiToolCalls } from '../model/tool-calls.js';
import type { StartedTurn } from './turn.service.js';
import type { ResponseFormatBody } from './response-format.dto.js';
import type { FinishedAnswer, GenerationSpec, Idempotency, TurnRequest } from '../model/turn.js';
import type { AnswerParameters } from '../model/answer-parameters.js';

/** Default sampling temperature. Omitted for models that reject it. */
const DEFAULT_TEMPERATURE = 0.7;

/** Converts the request for the next message in a conversation. */
export function toNextTurn(
  caller: Caller,
  body: ChatBody,
  idempotency: Idempotency | undefined,
): TurnRequest {
  const {
    conversation_id: conversationId,
    system_prompt: systemPrompt,
    compaction,
    message,
    file_ids: fileIds = [],
  } = body;
  const newMessages = [{ role: 'user', content: message, fileIds }] as const;
  const target = { type: 'next', conversationId, systemPrompt, compaction, newMessages } as const;
  const cache = answerCaching(caller, body.cache);
  return { ...toTurnRequest(caller, body, idempotency, { target, cache }), collections: collectionsOf(body) };
}

/** Converts a request to edit a message. */
export function toEditTurn(
  caller: Caller,
  { id: conversationId, message_id: messageId }: MessageParams,
  body: QuestionBody,
  idempotency: Idempotency | undefined,
): TurnRequest {
  const target = { type: 'edit', conversationId, messageId, message: body.message } as const;
  const cache = answerCaching(caller, body.cache);
  return { ...toTurnRequest(caller, body, idempotency, { target, cache }), collections: collectionsOf(body) };
}

/** Converts a request to regenerate an answer. Never uses the cache, which would return the same answer again. */
export function toRegenerateTurn(
  caller: Caller,
  { id: conversationId, message_id: messageId }: MessageParams,
  body: SourcedGenerationBody,
  idempotency: Idempotency | undefined,
): TurnRequest {
  const target = { type: 'regenerate', conversationId, messageId } as const;
  const request = toTurnRequest(caller, body, idempotency, { target, cache: undefined });
  return { ...request, collections: collectionsOf(body) };
}

function collectionsOf({ collection }: SourcedGenerationBody): readonly string[] | undefined {
  return typeof collection === 'string' ? [collection] : collection;
}

/** Converts a request that submits tool results. */
export function toToolResultsTurn(
  caller: Caller,
  { message_id: messageId }: AnswerParams,
  body: ToolResultsBody,
  idempotency: Idempotency | undefined,
): TurnRequest {
  const results = body.tool_results.map(
    ({ tool_call_id: toolCallId, content }) => ({ role: 'tool', toolCallId, content }) as const,
  );
  const target = { type: 'tool_results', messageId, results } as const;
  return toTurnRequest(caller, body, idempotency, { target, cache: undefined });
}

function toTurnRequest(
  caller: Caller,
  { model, temperature, max_tokens, tools, tool_choice, response_format: format }: GenerationBody,
  idempotency: Idempotency | undefined,
  { target, cache }: Pick<TurnRequest, 'target'> & Pick<GenerationSpec, 'cache'>,
): TurnRequest {
  const { userId, apiKeyId } = caller;
  const parameters = {
    ...(temperature !== undefined && { temperature }),
    ...(max_tokens !== undefined && { max_completion_tokens: max_tokens }),
    ...(tools !== undefined && { tools }),
    ...(tool_choice !== undefined && { tool_choice }),
    ...(format !== undefined && { response_format: toResponseFormat(format) }),
  };
  return {
    target,
    spec: {
      userId,
      apiKeyId,
      model,
      parameters,
      defaultTemperature: DEFAULT_TEMPERATURE,
      instructions: null,
      restart: 'once',
      cache,
    },
    mayRetrieve: hasScope(caller, 'rag'),
    checkOutput: true,
    idempotency,
  };
}

function toResponseFormat({
  type,
  json_schema: schema,
}: ResponseFormatBody): NonNullable<AnswerParameters['response_format']> {
  if (type !== 'json_schema') return { type };
  if (schema === undefined) throw new Error('A checked format has no schema.');
  const { name, description, schema: fits, strict } = schema;
  return {
    type,
    json_schema: {
      name,
      ...(description !== undefined && { description }),
      schema: fits,
      ...(strict !== undefined && { strict }),
    },
  };
}

/**
 * Returns the identity of a request for idempotent replay: the client's key and a fingerprint of all request fields.
 */
export function toIdempotency(
  route: string,
  key: string | undefined,
  ...asked: readonly object[]
): Idempotency | undefined {
  if (key === undefined) return undefined;
  const fields = asked
    .flatMap((part) => Object.entries(part))
    .sort(([one], [other]) => (one < other ? -1 : 1));
  const fingerprint = new Uint8Array(createHash('sha256').update(JSON.stringify(fields)).digest());
  return { route, key, fingerprint };
}

/** Returns response headers with the answer's ids, so that the client has them even if it never gets the body. */
export function toAnswerHeaders({ answer, replayed }: StartedTurn): Record<string, string> {
  return {
    'X-Conversation-ID': answer.conversationId,
    'X-Message-ID': answer.answerId,
    ...(replayed && { 'Idempotent-Replayed': 'true' }),
  };
}

/** Documents that an answer is based on. */
export interface AnswerContext {
  readonly omitted?: readonly OmittedPages[] | undefined;
  readonly sources?: AnswerSources | undefined;
}

/** Returns what an answer is based on, as soon as that is known. */
export async function readAnswerContext(source: AnswerStream, signal: AbortSignal): Promise<AnswerContext> {
  return { omitted: await source.readOmittedPages(signal), sources: await source.readSources(signal) };
}

/** Converts a finished answer to a response body. */
export function toAnswerBody(
  ids: AnswerIds & Pick<AnswerStream, 'ignored'>,
  answer: FinishedAnswer,
  context: AnswerContext = {},
): AnswerBody {
  const { text, calls, model, finishReason, costMicroUsd, warning, cached, completedAt } = answer;
  const usage = toUsageBody(answer.usage);
  return {
    message: text,
    ...(calls.length > 0 && { tool_calls: toOpenAiToolCalls(calls) }),
    conversation_id: ids.conversationId,
    message_id: ids.answerId,
    model,
    tokens_used: usage.total_tokens,
    usage,
    cost_estimate: toUsd(costMicroUsd),
    finish_reason: finishReason,
    cached,
    ...(warning !== null && { warning }),
    ...toOmittedPagesField(context.omitted),
    ...toSourcesField(text, context.sources),
    ...(ids.ignored && ids.ignored.length > 0 && { ignored_params: [...ids.ignored] }),
    timestamp: completedAt.toISOString(),
  };
}

export function toUsageBody({ inputTokens, outputTokens }: TokenUsage): UsageBody {
  return {
    prompt_tokens: inputTokens,
    completion_tokens: outputTokens,
    total_tokens: inputTokens + outputTokens,
  };
}

/**
 * Format of an event id: the attempt, its text length and, if there are tool calls, how much of them has been sent.
 */
export const EVENT_ID = /^(\d{1,9})\.(\d{1,9})(?:\.(\d{1,9}))?$/;

/**
 * Parses the id of the last event that a client received into a position.
 * @throws InvalidRequestError if it is not one of our ids
 */
export function parseEventId(lastEventId: string | undefined): AnswerPosition | undefined {
  if (lastEventId === undefined || lastEventId === '') return undefined;
  const [, attempt, offset, calls = '0'] = EVENT_ID.exec(lastEventId) ?? [];
  if (attempt !== undefined && offset !== undefined)
    return { attempt: Number(attempt), offset: Number(offset), calls: Number(calls) };
  const message = 'Last-Event-ID must be the id of an event of this stream';
  throw new InvalidRequestError(`${message}.`, [{ field: 'Last-Event-ID', message }]);
}

/**
 * Converts an answer to events. The first event carries the ids but no text, so that a client can identify the
 * answer before any text arrives; if the question has files, it lists the pages of documents that were left out; if it
 * is based on collections, its sources. An event's id is `<attempt>.<UTF-16 offset of the text after it>`, followed by
 * `.<how much of the tool calls has been sent>` after tool calls.
 * @param from the position that the client has already read to
 * @throws AppError the reason why there is no finished answer; the stream writer reports it
 */
export async function* toChatEvents(
  source: AnswerStream,
  signal: AbortSignal,
  from?: AnswerPosition,
): AsyncGenerator<OutgoingEvent> {
  const { conversationId: conversation_id, answerId: message_id } = source;
  const open = { conversation_id, message_id, finished: false };
  const begin = from ?? startPosition(source);
  const { omitted, sources: passages } = await readAnswerContext(source, signal);
  const omitted_pages = omitted?.map(toOmittedPagesBody);
  const sources = passages?.map(toSourceBody);
  const context = { ...(omitted_pages && { omitted_pages }), ...(sources && { sources }) };
  yield { id: idOf(begin), data: { delta: '', ...open, ...context } };
  for await (const event of followAnswer(source, signal, begin)) {
    const id = idOf(event.position);
    switch (event.type) {
      case 'delta':
        yield { id, data: { delta: event.delta, ...open } };
        break;
      case 'call':
        yield { id, data: { delta: '', tool_calls: [toCallDelta(event.piece)], ...open } };
        break;
      case 'restarted':
        yield { id, data: { restart: true, delta: '', ...open, model: event.model } };
        break;
      case 'ended': {
        if ('error' in event.outcome) throw event.outcome.error;
        // The text and the calls were already sent.
        const {
          message: _text,
          tool_calls: _calls,
          ...figures
        } = toAnswerBody(source, event.outcome, await readAnswerContext(source, signal));
        yield { id, data: { delta: '', finished: true, ...figures } };
        yield { data: '[DONE]' };
      }
    }
  }
}

/** Converts a piece of a tool call to OpenAI's chunk format. */
export function toCallDelta(piece: PositionedPiece) {
  const { index } = piece;
  if (piece.type === 'arguments') return { index, function: { arguments: piece.delta } };
  return { index, id: piece.id, type: 'function' as const, function: { name: piece.name, arguments: '' } };
}

function idOf({ attempt, offset, calls }: AnswerPosition): string {
  return `${attempt}.${offset}${calls > 0 ? `.${calls}` : ''}`;
}
