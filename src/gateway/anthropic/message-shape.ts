import { newId } from '../../common/ids.js';
import type { MessageUsage } from './message-usage.js';

/** Why an answer ended, as far as another wire can tell. */
export type StopReason = 'end_turn' | 'max_tokens' | 'tool_use' | 'stop_sequence' | 'refusal';

/** The end of an answer. */
export interface Ending {
  readonly stop_reason: StopReason;
  readonly stop_sequence: string | null;
  readonly stop_details: {
    readonly type: 'refusal';
    readonly category: null;
    readonly explanation: string | null;
  } | null;
}

/** A block of an answer that was put together elsewhere. */
export type AnswerBlock =
  | { readonly type: 'thinking'; readonly thinking: string; readonly signature: string }
  | { readonly type: 'redacted_thinking'; readonly data: string }
  | { readonly type: 'text'; readonly text: string }
  | { readonly type: 'tool_use'; readonly id: string; readonly name: string; readonly input: unknown };

/** A message as clients of the wire read it. */
export interface MessageBody extends Omit<Ending, 'stop_reason'> {
  readonly id: string;
  readonly type: 'message';
  readonly role: 'assistant';
  readonly model: string;
  readonly content: readonly AnswerBlock[];
  /** Null while the answer goes on. */
  readonly stop_reason: StopReason | null;
  readonly container: null;
  readonly usage: MessageUsage;
}

/** What an ending is put together from. */
export interface EndingFacts {
  /** In the words of the common tongue. */
  readonly finishReason: string;
  readonly calledTools: boolean;
  /** The words of a refusal, where there are any. */
  readonly refusal: string;
  /** The stop sequence that ended the answer, where the host told it. */
  readonly stopSequence: string | undefined;
}

/** The end of an answer as this wire tells it. */
export function toEnding({ finishReason, calledTools, refusal, stopSequence }: EndingFacts): Ending {
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

/** Several hosts say `stop` after calls of tools as well. */
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

/** The id of a message. Providers of other wires name theirs otherwise, and clients may look at the beginning. */
export function newMessageId(): string {
  return `msg_${newId().replaceAll('-', '')}`;
}

/** The id of a call of a tool, for hosts that give none. */
export function newToolUseId(): string {
  return `toolu_${newId().replaceAll('-', '')}`;
}

/** A text in a part of an answer for which the common tongue has no type. */
export function textAt(value: object, ...names: readonly string[]): string | undefined {
  for (const name of names) {
    const text: unknown = Reflect.get(value, name);
    if (typeof text === 'string') return text;
  }
  return undefined;
}

/** Hosts stream reasoning under either name. */
export const REASONING = ['reasoning_content', 'reasoning'] as const;
