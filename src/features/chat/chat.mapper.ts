import type { Caller } from '../../common/caller.js';
import { toUsd } from '../../common/money.js';
import type { OutgoingEvent } from '../../common/event-stream.js';
import type { TokenUsage } from '../../llm/index.js';
import type { AnswerBody, ChatBody, UsageBody } from './chat.dto.js';
import type { LiveTurn } from './live-turn.js';
import type { CompleteAnswer, Turn, TurnRequest } from './turn.js';

/** How freely a model chooses its words where the caller does not say. */
const DEFAULT_TEMPERATURE = 0.7;

/** A request as the turn service takes it. */
export function toTurnRequest({ userId, apiKeyId }: Caller, body: ChatBody): TurnRequest {
  return {
    userId,
    apiKeyId,
    message: body.message,
    conversationId: body.conversation_id,
    systemPrompt: body.system_prompt,
    model: body.model,
    temperature: body.temperature ?? DEFAULT_TEMPERATURE,
    maxTokens: body.max_tokens,
    cache: body.cache === true,
  };
}

/** The ids of a turn, so that a client knows them whatever becomes of the body. */
export function turnHeaders(turn: Turn): Record<string, string> {
  return { 'X-Conversation-ID': turn.conversationId, 'X-Message-ID': turn.answerId };
}

/** A complete answer as a client gets it. */
export function toAnswerBody(turn: Turn, answer: CompleteAnswer): AnswerBody {
  const { text, model, finishReason, costMicroUsd, warning, cached, completedAt } = answer;
  const usage = toUsageBody(answer.usage);
  return {
    message: text,
    conversation_id: turn.conversationId,
    message_id: turn.answerId,
    model,
    tokens_used: usage.total_tokens,
    usage,
    cost_estimate: toUsd(costMicroUsd),
    finish_reason: finishReason,
    cached,
    ...(warning !== null && { warning }),
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
 * A turn as events. The first carries no text but the ids, so that a client can name the answer before there is a
 * word of it. An event's id is `<attempt>.<UTF-16 offset of the text after it>`.
 * @throws AppError why there is no complete answer; the writer of the stream tells it
 */
export async function* toChatEvents(live: LiveTurn, signal: AbortSignal): AsyncGenerator<OutgoingEvent> {
  const { conversationId: conversation_id, answerId: message_id } = live.turn;
  const open = { conversation_id, message_id, finished: false };
  yield { id: '1.0', data: { delta: '', ...open } };
  for await (const event of live.follow(signal)) {
    const { attempt } = event;
    if (event.type === 'delta') {
      yield { id: `${attempt}.${event.end}`, data: { delta: event.delta, ...open } };
    } else if (event.type === 'restarted') {
      yield { id: `${attempt}.0`, data: { restart: true, delta: '', ...open, model: event.model } };
    } else {
      if (event.outcome.status !== 'complete') throw event.outcome.error;
      const { message, ...figures } = toAnswerBody(live.turn, event.outcome);
      yield { id: `${attempt}.${message.length}`, data: { delta: '', finished: true, ...figures } };
      yield { data: '[DONE]' };
    }
  }
}
