import type { OutgoingEvent } from '../../common/event-stream.js';
import {
  type ChatChunk,
  type ChatDelta,
  type ModelEvent,
  type ModelIdentity,
  type ProviderData,
  ReturnedFieldsCollector,
} from '../../llm/index.js';
import {
  type AnthropicMessageBody,
  newMessageId,
  newToolUseId,
  REASONING,
  firstStringField,
  toAnswerEnd,
} from './message-shape.js';
import { estimatedUsage, toMessageUsage } from './message-usage.js';
import { sealProviderData, writeSeal } from './reasoning-seal.js';

type Choice = ChatChunk['choices'][number];
type CallDelta = NonNullable<Choice['delta']['tool_calls']>[number];
type Finished = Extract<ModelEvent, { type: 'finished' }>;

/** A tool call: the part received so far, and the length of the part already written. */
interface Call {
  id: string;
  name: string;
  json: string;
  written: number;
}

/** A block of the answer: a tool call, or one that is fully described by its kind. */
type Block = 'text' | 'thinking' | 'sealed' | Call;

/**
 * Converts the chunks of another protocol to Anthropic's events. Blocks are sequential in this protocol, so if
 * fragments of several calls are interleaved, a call waits until the previous one is complete.
 * https://platform.claude.com/docs/en/build-with-claude/streaming
 */
export class MessageWriter {
  private readonly calls = new Map<number, Call>();
  private readonly closed = new Set<Call>();
  private readonly blocks: Block[] = [];
  private readonly returned = new ReturnedFieldsCollector();
  private providerData: ProviderData | undefined;
  /** The field that contained the reasoning of the open block. */
  private reasoningField: string = REASONING[0];
  private model: ModelIdentity = { provider: '', model: '', name: '' };
  private started = false;
  private open = false;
  private refusal = '';
  private stopSequence: string | undefined;

  /**
   * @param inputTokens an estimate: other API formats report the figure only at the end, and clients read it at
   * the start
   */
  constructor(private readonly inputTokens: number) {}

  begin(model: ModelIdentity): void {
    this.model = model;
  }

  /** Yields the event that precedes all others. */
  private *start(): Generator<OutgoingEvent> {
    if (this.started) return;
    this.started = true;
    const message: AnthropicMessageBody = {
      id: newMessageId(),
      type: 'message',
      role: 'assistant',
      model: this.model.name,
      content: [],
      stop_reason: null,
      stop_sequence: null,
      stop_details: null,
      container: null,
      usage: estimatedUsage(this.inputTokens),
    };
    yield eventOf({ type: 'message_start', message });
  }

  /** Yields the events for a chunk. */
  *write({ choices }: ChatChunk): Generator<OutgoingEvent> {
    yield* this.start();
    for (const choice of choices) {
      if (choice.index !== 0) continue;
      this.stopSequence ??= firstStringField(choice, 'stop_reason');
      this.returned.add(choice.delta);
      yield* this.add(choice.delta);
    }
  }

  /** Yields the final events. */
  *end({ finishReason, usage }: Finished): Generator<OutgoingEvent> {
    yield* this.start();
    for (const call of this.calls.values()) if (!this.closed.has(call)) yield* this.writeCall(call);
    yield* this.close();
    yield* this.writeProviderData();
    const delta = toAnswerEnd({
      finishReason,
      calledTools: this.calls.size > 0,
      refusal: this.refusal,
      stopSequence: this.stopSequence,
    });
    yield eventOf({ type: 'message_delta', delta, usage: toMessageUsage(usage) });
    yield eventOf({ type: 'message_stop' });
  }

  /**
   * Writes the data that the provider needs back with the tool results, besides the reasoning, as a block that
   * clients return unread. It comes last, because it is complete only now, and its position has no meaning.
   */
  private *writeProviderData(): Generator<OutgoingEvent> {
    if (this.calls.size === 0) return;
    const data = sealProviderData(this.model, this.providerData ?? this.returned.providerData(this.model));
    if (data === undefined) return;
    yield* this.enter('sealed', { type: 'redacted_thinking', data });
    yield* this.close();
  }

  private *add(delta: ChatDelta): Generator<OutgoingEvent> {
    this.providerData ??= delta.provider_data;
    const field = REASONING.find((name) => firstStringField(delta, name) !== undefined) ?? REASONING[0];
    const thinking = firstStringField(delta, field) ?? '';
    const { content, refusal, tool_calls: calls } = delta;
    this.refusal += refusal ?? '';
    const text = (content ?? '') + (refusal ?? '');
    if (thinking !== '') {
      this.reasoningField = field;
      yield* this.enter('thinking', { type: 'thinking', thinking: '', signature: '' });
      yield this.delta({ type: 'thinking_delta', thinking });
    }
    if (text !== '') {
      yield* this.enter('text', { type: 'text', text: '' });
      yield this.delta({ type: 'text_delta', text });
    }
    for (const call of calls ?? []) yield* this.addToCall(call);
  }

  private *addToCall({ index, id, function: part }: CallDelta): Generator<OutgoingEvent> {
    const call = this.calls.get(index) ?? { id: '', name: '', json: '', written: 0 };
    this.calls.set(index, call);
    call.id ||= id ?? '';
    call.name ||= part?.name ?? '';
    call.json += part?.arguments ?? '';
    const current = this.open ? this.blocks.at(-1) : undefined;
    const blocked = typeof current === 'object' && current !== call && !isWhole(current.json);
    if (!blocked && call.name !== '' && !this.closed.has(call)) yield* this.writeCall(call);
  }

  /** Writes the part of a call that has not been written yet. */
  private *writeCall(call: Call): Generator<OutgoingEvent> {
    call.id ||= newToolUseId();
    yield* this.enter(call, { type: 'tool_use', id: call.id, name: call.name, input: {} });
    const partial_json = call.json.slice(call.written);
    call.written = call.json.length;
    if (partial_json !== '') yield this.delta({ type: 'input_json_delta', partial_json });
  }

  /** Opens a block and closes the previous one. Does nothing if the block is already open. */
  private *enter(block: Block, content_block: object): Generator<OutgoingEvent> {
    if (this.open && this.blocks.at(-1) === block) return;
    yield* this.close();
    this.blocks.push(block);
    this.open = true;
    yield eventOf({ type: 'content_block_start', index: this.blocks.length - 1, content_block });
  }

  private *close(): Generator<OutgoingEvent> {
    const block = this.blocks.at(-1);
    if (!this.open || block === undefined) return;
    if (block === 'thinking') {
      const { provider, model } = this.model;
      const signature = writeSeal({ provider, model, field: this.reasoningField });
      yield this.delta({ type: 'signature_delta', signature });
    }
    this.open = false;
    if (typeof block === 'object') this.closed.add(block);
    yield eventOf({ type: 'content_block_stop', index: this.blocks.length - 1 });
  }

  private delta(delta: object): OutgoingEvent {
    return eventOf({ type: 'content_block_delta', index: this.blocks.length - 1, delta });
  }
}

/** Returns true if the JSON is complete, so that no fragment can continue it. */
function isWhole(json: string): boolean {
  try {
    JSON.parse(json);
    return true;
  } catch {
    return false;
  }
}

function eventOf(data: { readonly type: string } & Readonly<Record<string, unknown>>): OutgoingEvent {
  return { event: data.type, data };
}
