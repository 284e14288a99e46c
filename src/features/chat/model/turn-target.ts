import type { Compaction } from './compaction.js';
import type { AnswerParameters } from './answer-parameters.js';

/** A turn's target, resolved to a position in the message tree. */
export interface ResolvedTarget {
  /** Undefined for a new conversation. */
  readonly conversationId: string | undefined;
  readonly systemPrompt: string | undefined;
  readonly compaction: Compaction | undefined;
  /** The message that the turn follows: a specific one, none, or the end of the active path when the turn begins. */
  readonly after: 'leaf' | { readonly messageId: string | null };
  /** New messages; none if the question is already stored. */
  readonly newMessages: readonly NewMessage[];
  /** Text to be answered, for the estimate of its tokens. */
  readonly prompt: string;
  /** Text that passages are searched for; by default `prompt`. */
  readonly question?: string | undefined;
  /** Model and parameters of the answer that this one replaces or continues. */
  readonly previous:
    | {
        readonly model: string | null;
        readonly parameters: AnswerParameters;
        /** Collections that it was based on. */
        readonly collectionIds?: readonly string[];
      }
    | undefined;
}

/** Position of a turn in the message tree of a conversation. */
export type TurnTarget =
  /** After the active path or, without an id, at the beginning of a new conversation. */
  | {
      readonly type: 'next';
      readonly conversationId: string | undefined;
      /** Replaces the conversation's system prompt from this turn on. */
      readonly systemPrompt: string | undefined;
      /** Replaces the conversation's compaction from this turn on. */
      readonly compaction: Compaction | undefined;
      readonly newMessages: readonly NewMessage[];
    }
  /** A question that replaces an earlier one; the earlier one stays as its sibling. */
  | {
      readonly type: 'edit';
      readonly conversationId: string;
      readonly messageId: string;
      readonly message: string;
    }
  /** Another answer next to an existing one, or to the given question. */
  | { readonly type: 'regenerate'; readonly conversationId: string; readonly messageId: string }
  /** Results of the tool calls of an answer. */
  | { readonly type: 'tool_results'; readonly messageId: string; readonly results: readonly ToolResult[] };

/** A message that a turn adds before its answer. */
export type NewMessage =
  | {
      readonly role: 'user';
      readonly content: string;
      /** Ids of attached files; no files if absent. */
      readonly fileIds?: readonly string[];
    }
  /** Result of a tool call of the previous answer. */
  | { readonly role: 'tool'; readonly content: string; readonly toolCallId: string };

/** Result of a tool call. */
export type ToolResult = Extract<NewMessage, { readonly role: 'tool' }>;
