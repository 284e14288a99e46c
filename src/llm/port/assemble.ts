import type { ChatChunk, ChatCompletion, ChatDelta, CompletionUsage, ProviderData } from './chat.js';

type Choice = ChatCompletion['choices'][number];
type ChunkChoice = ChatChunk['choices'][number];

/** The fields of the canonical format. All others are extras that hosts add. */
const MESSAGE_FIELDS: ReadonlySet<string> = new Set(['role', 'content', 'refusal', 'tool_calls']);
const CALL_FIELDS: ReadonlySet<string> = new Set(['index', 'id', 'type', 'function']);

interface PartialCall {
  id: string;
  name: string;
  arguments: string;
  extras: Readonly<Record<string, unknown>>;
}

/** Accumulates the deltas of one streamed choice. */
class PartialChoice {
  private content: string | null = null;
  private refusal: string | null = null;
  private reasoning = '';
  private providerData: ProviderData | undefined;
  private finishReason: Choice['finish_reason'] = 'stop';
  private logprobs: Choice['logprobs'] = null;
  private readonly tools = new Map<number, PartialCall>();

  add({ delta, finish_reason, logprobs }: ChunkChoice): void {
    this.addText(delta);
    for (const call of delta.tool_calls ?? []) {
      const known = this.tools.get(call.index) ?? { id: '', name: '', arguments: '', extras: {} };
      known.id ||= call.id ?? '';
      known.name ||= call.function?.name ?? '';
      known.arguments += call.function?.arguments ?? '';
      known.extras = { ...known.extras, ...extrasOf(call, CALL_FIELDS) };
      this.tools.set(call.index, known);
    }
    if (finish_reason) this.finishReason = finish_reason;
    if (logprobs) {
      this.logprobs = {
        content: [...(this.logprobs?.content ?? []), ...(logprobs.content ?? [])],
        refusal: [...(this.logprobs?.refusal ?? []), ...(logprobs.refusal ?? [])],
      };
    }
  }

  toChoice(index: number): Choice {
    const tool_calls = Array.from(this.tools.values(), ({ id, name, arguments: text, extras }) => ({
      ...extras,
      id,
      type: 'function' as const,
      function: { name, arguments: text },
    }));
    const message = {
      role: 'assistant' as const,
      content: this.content,
      refusal: this.refusal,
      ...(tool_calls.length > 0 && { tool_calls }),
      ...(this.reasoning !== '' && { reasoning_content: this.reasoning }),
      ...(this.providerData && { provider_data: this.providerData }),
    };
    return { index, message, finish_reason: this.finishReason, logprobs: this.logprobs };
  }

  private addText(delta: ChatDelta & { reasoning_content?: unknown }): void {
    if (typeof delta.content === 'string') this.content = (this.content ?? '') + delta.content;
    if (typeof delta.refusal === 'string') this.refusal = (this.refusal ?? '') + delta.refusal;
    if (typeof delta.reasoning_content === 'string') this.reasoning += delta.reasoning_content;
    if (delta.provider_data) this.providerData = delta.provider_data;
  }
}

/** Assembles the chunks of a stream into a whole answer. */
export class CompletionAssembler {
  private readonly choices = new Map<number, PartialChoice>();
  private first: ChatChunk | undefined;
  private usage: CompletionUsage | undefined;

  add(chunk: ChatChunk): void {
    this.first ??= chunk;
    if (chunk.usage) this.usage = chunk.usage;
    for (const choice of chunk.choices) {
      const partial = this.choices.get(choice.index) ?? new PartialChoice();
      partial.add(choice);
      this.choices.set(choice.index, partial);
    }
  }

  /** Returns the whole answer. For an empty stream, it has no choices. */
  completion(): ChatCompletion {
    const { id = '', created = 0, model = '', service_tier } = this.first ?? {};
    return {
      id,
      object: 'chat.completion',
      created,
      model,
      ...(service_tier !== undefined && { service_tier }),
      choices: Array.from(this.choices, ([index, choice]) => choice.toChoice(index)),
      ...(this.usage && { usage: this.usage }),
    };
  }
}

/**
 * Splits a whole answer into chunks. Each choice yields three: its role, its entire content, its finish reason.
 * Usage comes last.
 */
export function completionToChunks({ id, created, model, choices, usage }: ChatCompletion): ChatChunk[] {
  const head = { id, object: 'chat.completion.chunk', created, model } as const;
  const chunks = choices.flatMap(({ index, message, logprobs, finish_reason }): ChatChunk[] => {
    const { role, content, refusal, tool_calls } = message;
    const calls = (tool_calls ?? []).flatMap((call, place) =>
      call.type === 'function'
        ? [
            {
              ...extrasOf(call, CALL_FIELDS),
              index: place,
              id: call.id,
              type: call.type,
              function: call.function,
            },
          ]
        : [],
    );
    const delta = {
      ...extrasOf(message, MESSAGE_FIELDS),
      content,
      refusal,
      ...(calls.length > 0 && { tool_calls: calls }),
    };
    return [
      { ...head, choices: [{ index, delta: { role, content: '' }, finish_reason: null }] },
      { ...head, choices: [{ index, delta, logprobs, finish_reason: null }] },
      { ...head, choices: [{ index, delta: {}, finish_reason }] },
    ];
  });
  return usage ? [...chunks, { ...head, choices: [], usage }] : chunks;
}

/**
 * Returns the fields that hosts add to a message or tool call beyond the canonical format, such as reasoning,
 * signatures or the provider's own blocks.
 */
function extrasOf(value: object, known: ReadonlySet<string>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(value).filter(([name, field]: [string, unknown]) => !known.has(name) && field !== null),
  );
}
