import type { OutgoingEvent } from '../../common/event-stream.js';
import type { ChatChunk, ModelEvent, ModelIdentity } from '../../llm/index.js';
import {
  type MessageBody,
  newMessageId,
  newToolUseId,
  REASONING,
  textAt,
  toEnding,
} from './message-shape.js';
import { NO_USAGE, toMessageUsage } from './message-usage.js';

type Choice = ChatChunk['choices'][number];
type CallDelta = NonNullable<Choice['delta']['tool_calls']>[number];
type Finished = Extract<ModelEvent, { type: 'finished' }>;

/** A call of a tool: what of it has come, and how much of that was written. */
interface Call {
  id: string;
  name: string;
  json: string;
  written: number;
}

/**
 * The chunks of another wire as the events of this one. Blocks follow one another here, so a call whose fragments come
 * between those of another one waits for its turn.
 * https://platform.claude.com/docs/en/build-with-claude/streaming
 */
export class MessageWriter {
  private readonly calls = new Map<number, Call>();
  private readonly closed = new Set<Call>();
  private readonly blocks: ('text' | 'thinking' | Call)[] = [];
  private model = '';
  private started = false;
  private open = false;
  private refusal = '';
  private stopSequence: string | undefined;

  begin(model: ModelIdentity): void {
    this.model = model.name;
  }

  /** The event that comes before all others. What the request takes is told by other wires only at the end. */
  private *start(): Generator<OutgoingEvent> {
    if (this.started) return;
    this.started = true;
    const message: MessageBody = {
      id: newMessageId(),
      type: 'message',
      role: 'assistant',
      model: this.model,
      content: [],
      stop_reason: null,
      stop_sequence: null,
      stop_details: null,
      container: null,
      usage: NO_USAGE,
    };
    yield eventOf({ type: 'message_start', message });
  }

  /** The events that a chunk comes to. */
  *write({ choices }: ChatChunk): Generator<OutgoingEvent> {
    yield* this.start();
    for (const choice of choices) {
      if (choice.index !== 0) continue;
      this.stopSequence ??= textAt(choice, 'stop_reason');
      yield* this.add(choice.delta);
    }
  }

  /** The events of the end. */
  *end({ finishReason, usage }: Finished): Generator<OutgoingEvent> {
    yield* this.start();
    for (const call of this.calls.values()) if (!this.closed.has(call)) yield* this.writeCall(call);
    yield* this.close();
    const delta = toEnding({
      finishReason,
      calledTools: this.calls.size > 0,
      refusal: this.refusal,
      stopSequence: this.stopSequence,
    });
    yield eventOf({ type: 'message_delta', delta, usage: toMessageUsage(usage) });
    yield eventOf({ type: 'message_stop' });
  }

  private *add(delta: Choice['delta']): Generator<OutgoingEvent> {
    const thinking = textAt(delta, ...REASONING) ?? '';
    const { content, refusal, tool_calls: calls } = delta;
    this.refusal += refusal ?? '';
    const text = (content ?? '') + (refusal ?? '');
    if (thinking !== '') {
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

  /** What of a call was not written yet. */
  private *writeCall(call: Call): Generator<OutgoingEvent> {
    call.id ||= newToolUseId();
    yield* this.enter(call, { type: 'tool_use', id: call.id, name: call.name, input: {} });
    const partial_json = call.json.slice(call.written);
    call.written = call.json.length;
    if (partial_json !== '') yield this.delta({ type: 'input_json_delta', partial_json });
  }

  /** Makes a block the open one: nothing where it is already. */
  private *enter(block: 'text' | 'thinking' | Call, content_block: object): Generator<OutgoingEvent> {
    if (this.open && this.blocks.at(-1) === block) return;
    yield* this.close();
    this.blocks.push(block);
    this.open = true;
    yield eventOf({ type: 'content_block_start', index: this.blocks.length - 1, content_block });
  }

  private *close(): Generator<OutgoingEvent> {
    const block = this.blocks.at(-1);
    if (!this.open || block === undefined) return;
    this.open = false;
    if (typeof block === 'object') this.closed.add(block);
    yield eventOf({ type: 'content_block_stop', index: this.blocks.length - 1 });
  }

  private delta(delta: object): OutgoingEvent {
    return eventOf({ type: 'content_block_delta', index: this.blocks.length - 1, delta });
  }
}

/** A JSON object that is complete cannot be gone on with. */
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
