import type { Compaction } from './compaction.js';
import type { AnswerParameters } from './answer-parameters.js';

/** A place in the tree, found. */
export interface ResolvedTarget {
  /** Undefined begins a conversation. */
  readonly conversationId: string | undefined;
  readonly systemPrompt: string | undefined;
  readonly compaction: Compaction | undefined;
  /** The message that the turn follows: a certain one, none, or whichever ends the active path when it begins. */
  readonly after: 'leaf' | { readonly messageId: string | null };
  /** What is said there; nothing where the question stands there already. */
  readonly said: readonly NewMessage[];
  /** What is answered, for the estimate of what it takes. */
  readonly prompt: string;
  /** How the answer was made that this one takes the place of, or goes on from. */
  readonly before: { readonly model: string | null; readonly parameters: AnswerParameters } | undefined;
}

/** Where in the tree of a conversation a turn takes place. */
export type TurnTarget =
  /** After the active path, or, without an id, at the beginning of a new conversation. */
  | {
      readonly type: 'next';
      readonly conversationId: string | undefined;
      /** Replaces the conversation's system prompt from this turn on. */
      readonly systemPrompt: string | undefined;
      /** Replaces the conversation's from this turn on. */
      readonly compaction: Compaction | undefined;
      readonly said: readonly NewMessage[];
    }
  /** A question in the place of one that was asked before; that one stays, beside it. */
  | {
      readonly type: 'edit';
      readonly conversationId: string;
      readonly messageId: string;
      readonly message: string;
    }
  /** Another answer beside the one that there is, or to the question that is named. */
  | { readonly type: 'regenerate'; readonly conversationId: string; readonly messageId: string }
  /** What came of the calls of tools that an answer asked for. */
  | { readonly type: 'tool_results'; readonly messageId: string; readonly results: readonly ToolResult[] };

/** What is said in a turn before the answer. */
export type NewMessage =
  | {
      readonly role: 'user';
      readonly content: string;
      /** Files that it comes with; none without it. */
      readonly fileIds?: readonly string[];
    }
  /** What came of a call of a tool that the answer before asked for. */
  | { readonly role: 'tool'; readonly content: string; readonly toolCallId: string };

/** What came of a call of a tool. */
export type ToolResult = Extract<NewMessage, { readonly role: 'tool' }>;
