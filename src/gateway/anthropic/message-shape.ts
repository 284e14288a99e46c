import { newId } from '../../common/ids.js';
import type { MessageUsage } from './message-usage.js';

/** The stop reasons that an answer of another protocol can have. */
export type StopReason = 'end_turn' | 'max_tokens' | 'tool_use' | 'stop_sequence' | 'refusal';

/** The end of an answer. */
export interface AnswerEnd {
  readonly stop_reason: StopReason;
  readonly stop_sequence: string | null;
  readonly stop_details: {
    readonly type: 'refusal';
    readonly category: null;
    readonly explanation: string | null;
  } | null;
}

/** A block of an answer that was assembled from another API format. */
export type AnswerBlock =
  | { readonly type: 'thinking'; readonly thinking: string; readonly signature: string }
  | { readonly type: 'redacted_thinking'; readonly data: string }
  | { readonly type: 'text'; readonly text: string }
  | { readonly type: 'tool_use'; readonly id: string; readonly name: string; readonly input: unknown };

/** A message in Anthropic's format. */
export interface AnthropicMessageBody extends Omit<AnswerEnd, 'stop_reason'> {
  readonly id: string;
  readonly type: 'message';
  readonly role: 'assistant';
  readonly model: string;
  readonly content: readonly AnswerBlock[];
  /** Null while the answer continues. */
  readonly stop_reason: StopReason | null;
  readonly container: null;
  readonly usage: MessageUsage;
}

/** The data that determines the end of an answer. */
export interface AnswerEndInput {
  /** Finish reason of the canonical format. */
  readonly finishReason: string;
  readonly calledTools: boolean;
  /** The text of a refusal; empty if there is none. */
  readonly refusal: string;
  /** The stop sequence that ended the answer, if the host reported it. */
  readonly stopSequence: string | undefined;
}

/** Converts the end of an answer to Anthropic's format. */
export function toAnswerEnd({ finishReason, calledTools, refusal, stopSequence }: AnswerEndInput): AnswerEnd {
  const stop_reason = toStopReason(finishReason, calledTools);
  if (stop_reason === 'refusal' || refusal !== '') {
    const explanation = refusal === '' ? null : refusal;
    return {
      stop_reason: 'refusal',
      stop_sequence: null,
      stop_details: { type: 'refusal', category: null, explanation },
    };
  }
  if (stop_reason === 'end_turn' && stopSequence !== undefined) {
    return { stop_reason: 'stop_sequence', stop_sequence: stopSequence, stop_details: null };
  }
  return { stop_reason, stop_sequence: null, stop_details: null };
}

/** Converts a finish reason. Several hosts send `stop` after tool calls as well. */
function toStopReason(finishReason: string, calledTools: boolean): StopReason {
  switch (finishReason) {
    case 'length':
      return 'max_tokens';
    case 'content_filter':
      return 'refusal';
    case 'tool_calls':
    case 'function_call':
      return 'tool_use';
    default:
      return calledTools ? 'tool_use' : 'end_turn';
  }
}

/** Returns a new message id. Other protocols have ids in other forms, and clients may check the prefix. */
export function newMessageId(): string {
  return `msg_${newId().replaceAll('-', '')}`;
}

/** Returns a new id for a tool call of a host that gives none. */
export function newToolUseId(): string {
  return `toolu_${newId().replaceAll('-', '')}`;
}

/** Returns a string field of a part of an answer that the canonical format has no type for. */
export function firstStringField(value: object, ...names: readonly string[]): string | undefined {
  for (const name of names) {
    const text: unknown = Reflect.get(value, name);
    if (typeof text === 'string') return text;
  }
  return undefined;
}

/** The field names under which hosts stream reasoning. */
export const REASONING = ['reasoning_content', 'reasoning'] as const;
