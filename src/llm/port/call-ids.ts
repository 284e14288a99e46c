import { alphanumericDigest } from '../../common/digest.js';
import type { ChatMessage } from './chat.js';

/** The ids of tool calls that a target accepts, and the ones it gets in place of others. */
export interface CallIdRule {
  readonly accepts: RegExp;
  /** Begins each replacement. */
  readonly prefix: string;
  /** Characters of a replacement after its prefix. */
  readonly digestLength: number;
  /** True if the target refuses two calls of one id, although they belong to different answers. */
  readonly unique: boolean;
}

/**
 * Replaces ids of tool calls that a target refuses, in the calls and in their results. A replacement depends on the id
 * alone, so the same history gets the same ids in every request, and prompt caches stay valid.
 */
export function withAcceptedCallIds(messages: readonly ChatMessage[], rule: CallIdRule): ChatMessage[] {
  const ids = new AcceptedIds(rule);
  return messages.map((message) => {
    if (message.role === 'tool') return { ...message, tool_call_id: ids.ofResult(message.tool_call_id) };
    if (message.role !== 'assistant' || !message.tool_calls) return message;
    return {
      ...message,
      tool_calls: message.tool_calls.map((call) => ({ ...call, id: ids.ofCall(call.id) })),
    };
  });
}

class AcceptedIds {
  /** Original ids by the ids sent for them. */
  private readonly taken = new Map<string, string>();
  /** The ids sent for the newest calls of each original id, in order: hosts exist that give parallel calls one id. */
  private readonly sent = new Map<string, string[]>();
  private answered = false;

  constructor(private readonly rule: CallIdRule) {}

  ofCall(original: string): string {
    // Results end an answer: the next call with a known id begins anew.
    if (this.answered) this.sent.clear();
    this.answered = false;
    const id = this.freeId(original);
    this.taken.set(id, original);
    this.sent.set(original, [...(this.sent.get(original) ?? []), id]);
    return id;
  }

  ofResult(original: string): string {
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
