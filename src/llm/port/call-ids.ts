import { alphanumericDigest } from '../../common/digest.js';
import type { ChatMessage } from './chat.js';

/** The tool call ids that a target accepts, and the form of the replacements for all others. */
export interface CallIdRule {
  readonly accepts: RegExp;
  /** Prefix of each replacement. */
  readonly prefix: string;
  /** Length of the part of a replacement that follows its prefix, in characters. */
  readonly digestLength: number;
  /** True if the target refuses two calls with the same id even if they belong to different answers. */
  readonly unique: boolean;
}

/**
 * Replaces tool call ids that a target refuses, in the calls and in their results. A replacement depends on the
 * id alone, so the same history gets the same ids in every request, and prompt caches stay valid.
 */
export function withAcceptedCallIds(messages: readonly ChatMessage[], rule: CallIdRule): ChatMessage[] {
  const ids = new AcceptedIds(rule);
  return messages.map((message) => {
    if (message.role === 'tool') return { ...message, tool_call_id: ids.resultId(message.tool_call_id) };
    if (message.role !== 'assistant' || !message.tool_calls) return message;
    return {
      ...message,
      tool_calls: message.tool_calls.map((call) => ({ ...call, id: ids.callId(call.id) })),
    };
  });
}

class AcceptedIds {
  /** Original ids by the ids that replaced them in the request. */
  private readonly taken = new Map<string, string>();
  /**
   * The replacement ids of the latest calls with each original id, in order. Some hosts give all parallel calls
   * the same id.
   */
  private readonly sent = new Map<string, string[]>();
  private answered = false;

  constructor(private readonly rule: CallIdRule) {}

  callId(original: string): string {
    // Results complete an answer: a later call with a known id is a new call.
    if (this.answered) this.sent.clear();
    this.answered = false;
    const id = this.freeId(original);
    this.taken.set(id, original);
    this.sent.set(original, [...(this.sent.get(original) ?? []), id]);
    return id;
  }

  resultId(original: string): string {
    this.answered = true;
    const [first, ...others] = this.sent.get(original) ?? [];
    if (first === undefined)
      return this.rule.accepts.test(original) ? original : this.replacement(original, 0);
    if (others.length > 0) this.sent.set(original, others);
    return first;
  }

  private freeId(original: string): string {
    let id = this.rule.accepts.test(original) ? original : this.replacement(original, 0);
    for (let count = 1; this.isTaken(id, original); count += 1) id = this.replacement(original, count);
    return id;
  }

  private isTaken(id: string, original: string): boolean {
    const owner = this.taken.get(id);
    if (owner === undefined) return false;
    return this.rule.unique || owner !== original || (this.sent.get(original) ?? []).includes(id);
  }

  private replacement(original: string, count: number): string {
    const { prefix, digestLength } = this.rule;
    return prefix + alphanumericDigest(count === 0 ? original : `${count}:${original}`, digestLength);
  }
}
