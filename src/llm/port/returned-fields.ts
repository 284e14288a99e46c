import type { ChatMessage, ProviderData } from './chat.js';
import { getField, getStringField } from './provider-reason.js';

/**
 * Fields of an answer in OpenAI's API format, beyond OpenAI's own, that its host needs back with the answer.
 * `provider_data` carries them.
 *
 * - `reasoning_content`, or `reasoning`: without it, DeepSeek refuses an answer that called tools, in all later
 *   requests. https://api-docs.deepseek.com/guides/thinking_mode
 * - `reasoning_details`: OpenRouter's, signed by the model, to be returned unmodified.
 *   https://openrouter.ai/docs/guides/best-practices/reasoning-tokens
 * - `extra_content` of a tool call: Gemini's thought signature, without which it refuses the results of the
 *   call. https://ai.google.dev/gemini-api/docs/thought-signatures
 */
export interface ReturnedFields {
  /** The provider's name of the model that wrote them. Another model does not accept its signatures. */
  readonly model: string;
  readonly reasoning_content?: string;
  readonly reasoning?: string;
  readonly reasoning_details?: readonly unknown[];
  /** `extra_content` by the position of the tool call in the message; null for a call without it. */
  readonly call_extras?: readonly unknown[];
}

type AssistantMessage = Extract<ChatMessage, { role: 'assistant' }>;

/**
 * Collects those fields from the deltas of a stream, or from a whole message, which counts as a single delta.
 */
export class ReturnedFieldsCollector {
  private reasoningContent = '';
  private reasoning = '';
  private readonly details: unknown[] = [];
  /** The tool calls in the order in which they begin, which is their order in the assembled message. */
  private readonly calls: CallExtra[] = [];

  add(delta: object): void {
    this.reasoningContent += getStringField(delta, 'reasoning_content') ?? '';
    this.reasoning += getStringField(delta, 'reasoning') ?? '';
    for (const detail of listOf(getField(delta, 'reasoning_details'))) this.addDetail(detail);
    for (const [place, call] of listOf(getField(delta, 'tool_calls')).entries()) this.addCall(call, place);
  }

  /** Returns the fields as `provider_data` of a provider, or undefined if there are none. */
  providerData({
    provider,
    model,
  }: {
    readonly provider: string;
    readonly model: string;
  }): ProviderData | undefined {
    const blocks: ReturnedFields = {
      model,
      ...(this.reasoningContent !== '' && { reasoning_content: this.reasoningContent }),
      ...(this.reasoning !== '' && { reasoning: this.reasoning }),
      ...(this.details.length > 0 && { reasoning_details: this.details }),
      ...(this.calls.some(({ extra }) => extra !== null) && {
        call_extras: this.calls.map(({ extra }) => extra),
      }),
    };
    return Object.keys(blocks).length > 1 ? { provider, blocks } : undefined;
  }

  /**
   * Adds a detail, or appends to the last one: a stream sends the text of one detail in pieces and then its
   * signature.
   */
  private addDetail(detail: unknown): void {
    const last = this.details.at(-1);
    if (!isObject(detail) || !isObject(last) || !isContinuation(last, detail)) {
      this.details.push(detail);
      return;
    }
    const joined: Record<string, unknown> = { ...last };
    for (const [name, value] of Object.entries(detail) as [string, unknown][]) {
      const before = joined[name];
      const grows = (name === 'text' || name === 'summary') && typeof before === 'string';
      if (grows && typeof value === 'string') joined[name] = before + value;
      else if (value !== null) joined[name] = value;
    }
    this.details[this.details.length - 1] = joined;
  }

  private addCall(call: unknown, place: number): void {
    const [id, index, extra] = [
      getStringField(call, 'id'),
      getField(call, 'index'),
      getField(call, 'extra_content'),
    ];
    const key = typeof index === 'number' ? index : place;
    let known = this.calls.findLast((one) => one.key === key);
    // Some hosts give all calls of a whole message the same index.
    if (known === undefined || (id && known.id && id !== known.id)) {
      known = { key, id: '', extra: null };
      this.calls.push(known);
    }
    known.id ||= id ?? '';
    if (isObject(extra)) known.extra = extra;
  }
}

/** A tool call, and the `extra_content` that belongs to it. */
interface CallExtra {
  /** The index in the deltas of the call, which may begin anywhere. */
  readonly key: number;
  id: string;
  extra: object | null;
}

/** Reads the fields from `provider_data`, which may have any shape. */
export function readReturnedFields(data: ProviderData | undefined): ReturnedFields | undefined {
  const blocks = data?.blocks;
  const model = getStringField(blocks, 'model');
  if (model === undefined) return undefined;
  const [content, reasoning] = [
    getStringField(blocks, 'reasoning_content'),
    getStringField(blocks, 'reasoning'),
  ];
  const [details, extras] = [
    listOf(getField(blocks, 'reasoning_details')),
    listOf(getField(blocks, 'call_extras')),
  ];
  return {
    model,
    ...(content !== undefined && { reasoning_content: content }),
    ...(reasoning !== undefined && { reasoning }),
    ...(details.length > 0 && { reasoning_details: details }),
    ...(extras.length > 0 && { call_extras: extras }),
  };
}

/**
 * Adds to an answer the fields that its host needs back: unsigned texts always, signed fields only if the same
 * model wrote them.
 */
export function withReturnedFields(
  message: AssistantMessage,
  { model: writer, reasoning_content, reasoning, reasoning_details, call_extras = [] }: ReturnedFields,
  model: string,
): AssistantMessage {
  const same = writer === model;
  const returned: AssistantMessage & Partial<ReturnedFields> = {
    ...message,
    ...(reasoning_content !== undefined && { reasoning_content }),
    ...(reasoning !== undefined && { reasoning }),
    ...(same && reasoning_details && { reasoning_details }),
  };
  if (!same || !message.tool_calls) return returned;
  returned.tool_calls = message.tool_calls.map((call, place) => {
    const extra = call_extras[place];
    return isObject(extra) ? { ...call, extra_content: extra } : call;
  });
  return returned;
}

function isContinuation(last: object, detail: object): boolean {
  const type = getField(detail, 'type');
  const grows = type === 'reasoning.text' || type === 'reasoning.summary';
  return grows && type === getField(last, 'type') && getField(detail, 'index') === getField(last, 'index');
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function listOf(value: unknown): unknown[] {
  return Array.isArray(value) ? value : [];
}
