import {
  type ChatDelta,
  getField,
  type FinishReason,
  isErrorReport,
  type ProviderEvent,
  getStringField,
} from '../../port/index.js';
import { AnthropicAnswerBlock, toProviderData } from './answer-blocks.js';
import { toAnthropicStreamError } from './anthropic-errors.js';
import { AnthropicUsage } from './message-usage.js';

/** A delta with reasoning, which OpenAI's types do not have; hosts stream it under this name. */
type Delta = ChatDelta & { reasoning_content?: string };

const NO_EVENT: ProviderEvent = {
  type: 'skipped',
  reason: "An event of the stream was not in Anthropic's API format.",
};

/** Finish reasons by stop reason. An unknown one means a complete answer. */
const FINISH_REASONS: ReadonlyMap<string, FinishReason> = new Map([
  ['end_turn', 'stop'],
  ['stop_sequence', 'stop'],
  ['pause_turn', 'stop'],
  ['max_tokens', 'length'],
  ['model_context_window_exceeded', 'length'],
  ['tool_use', 'tool_calls'],
  ['refusal', 'content_filter'],
]);

/** Types of blocks by the type of a delta that can begin them. */
const IMPLIED_BLOCKS: ReadonlyMap<string, string> = new Map([
  ['text_delta', 'text'],
  ['thinking_delta', 'thinking'],
]);

/**
 * Converts the events of one Messages stream to chunks in the canonical format.
 * Protocol: `message_start`; for each block `content_block_start`, `content_block_delta`s and
 * `content_block_stop`; then `message_delta` with the stop reason, and `message_stop`; in between `ping`s and
 * unknown events. https://platform.claude.com/docs/en/build-with-claude/streaming
 */
export class MessageTranslator {
  private readonly usage = new AnthropicUsage();
  private readonly blocks = new Map<unknown, AnthropicAnswerBlock>();
  /** Indexes of the tool calls among the calls of the answer. */
  private readonly calls = new Map<AnthropicAnswerBlock, number>();
  private readonly created: number;
  private model: string;
  private id = '';
  /** True once the stop reason has arrived: the answer is complete, and only its usage may be missing. */
  finished = false;

  /** @param options the requested model, and the Unix time in seconds, which the protocol does not contain */
  constructor(options: { readonly model: string; readonly created: number }) {
    this.model = options.model;
    this.created = options.created;
  }

  /**
   * Converts one event to chunks.
   * @throws ProviderError if the event reports an error
   */
  translate(event: object): ProviderEvent[] {
    switch (getStringField(event, 'type')) {
      case 'message_start':
        return this.begin(getField(event, 'message'));
      case 'content_block_start':
        return this.startBlock(event);
      case 'content_block_delta':
        return this.addToBlock(event);
      case 'content_block_stop':
        return this.closeBlock(this.blocks.get(getField(event, 'index')));
      case 'message_delta':
        return this.finish(event);
      case 'error':
        throw toAnthropicStreamError(event);
      case undefined:
        if (isErrorReport(event)) throw toAnthropicStreamError(event);
        return [NO_EVENT];
      default:
        return [];
    }
  }

  /** Returns the last chunk of all, with the usage; empty if the host reported none. */
  lastChunk(): ProviderEvent[] {
    const usage = this.usage.toCompletionUsage();
    return usage === undefined ? [] : [{ type: 'chunk', chunk: { ...this.head(), choices: [], usage } }];
  }

  /** Returns the usage of the input, which the beginning of a message reports. */
  usageSoFar(): ProviderEvent[] {
    const usage = this.usage.toCompletionUsage();
    return usage === undefined ? [] : [{ type: 'usage', usage }];
  }

  private begin(message: unknown): ProviderEvent[] {
    this.id = getStringField(message, 'id') ?? '';
    this.model = getStringField(message, 'model') ?? this.model;
    this.usage.add(getField(message, 'usage'));
    return [this.chunk({ role: 'assistant', content: '' })];
  }

  private startBlock(event: object): ProviderEvent[] {
    const start = getField(event, 'content_block');
    if (typeof start !== 'object' || start === null) return [NO_EVENT];
    const block = new AnthropicAnswerBlock(start);
    this.blocks.set(getField(event, 'index'), block);
    if (block.type === 'tool_use') return [this.startCall(block, start)];
    return [
      ...this.text(getStringField(start, 'text')),
      ...this.reasoning(getStringField(start, 'thinking')),
    ];
  }

  private startCall(block: AnthropicAnswerBlock, start: object): ProviderEvent {
    const index = this.calls.size;
    this.calls.set(block, index);
    const id = getStringField(start, 'id') ?? '';
    const name = getStringField(start, 'name') ?? '';
    return this.chunk({ tool_calls: [{ index, id, type: 'function', function: { name, arguments: '' } }] });
  }

  private addToBlock(event: object): ProviderEvent[] {
    const delta = getField(event, 'delta');
    const block = this.blockFor(getField(event, 'index'), getStringField(delta, 'type'));
    if (block === undefined) return [NO_EVENT];
    switch (getStringField(delta, 'type')) {
      case 'text_delta': {
        const text = getStringField(delta, 'text') ?? '';
        block.addText(text);
        return this.text(text);
      }
      case 'thinking_delta': {
        const thinking = getStringField(delta, 'thinking') ?? '';
        block.addThinking(thinking);
        return this.reasoning(thinking);
      }
      case 'input_json_delta':
        return this.addArguments(block, toPartialJson(getField(delta, 'partial_json')));
      case 'signature_delta':
        block.addSignature(getStringField(delta, 'signature') ?? '');
        return [];
      case 'citations_delta':
        block.addCitation(getField(delta, 'citation'));
        return [];
      default:
        return [];
    }
  }

  /**
   * Returns the block of a delta. Hosts that copy the protocol may omit the start of a block, which only a tool
   * call cannot do without.
   */
  private blockFor(index: unknown, deltaType: string | undefined): AnthropicAnswerBlock | undefined {
    const known = this.blocks.get(index);
    const type = deltaType === undefined ? undefined : IMPLIED_BLOCKS.get(deltaType);
    if (known !== undefined || type === undefined) return known;
    const block = new AnthropicAnswerBlock({ type });
    this.blocks.set(index, block);
    return block;
  }

  private text(content = ''): ProviderEvent[] {
    return content === '' ? [] : [this.chunk({ content })];
  }

  private reasoning(reasoning_content = ''): ProviderEvent[] {
    return reasoning_content === '' ? [] : [this.chunk({ reasoning_content })];
  }

  private addArguments(block: AnthropicAnswerBlock, json: string): ProviderEvent[] {
    block.addJson(json);
    const index = this.calls.get(block);
    if (index === undefined || json === '') return [];
    return [this.chunk({ tool_calls: [{ index, function: { arguments: json } }] })];
  }

  /**
   * Closes a block. In this protocol, a tool without parameters receives no arguments; the canonical format
   * requires `{}`.
   */
  private closeBlock(block: AnthropicAnswerBlock | undefined): ProviderEvent[] {
    return block === undefined || !this.calls.has(block) ? [] : this.addArguments(block, block.argumentsLeft);
  }

  private finish(event: object): ProviderEvent[] {
    this.usage.add(getField(event, 'usage'));
    const delta = getField(event, 'delta');
    const reason = getStringField(delta, 'stop_reason');
    if (reason === undefined || this.finished) return [];
    this.finished = true;
    // Hosts that copy the protocol may omit the stop event of a block.
    const open = Array.from(this.calls.keys()).flatMap((block) => this.closeBlock(block));
    const provider_data = toProviderData(this.blocks.values());
    const refusal = getStringField(getField(delta, 'stop_details'), 'explanation');
    const known = FINISH_REASONS.get(reason) ?? 'stop';
    const finish = { ...(refusal !== undefined && { refusal }), ...(provider_data && { provider_data }) };
    return [...open, this.chunk(finish, known === 'stop' && this.calls.size > 0 ? 'tool_calls' : known)];
  }

  private chunk(delta: Delta, finish_reason: FinishReason | null = null): ProviderEvent {
    return { type: 'chunk', chunk: { ...this.head(), choices: [{ index: 0, delta, finish_reason }] } };
  }

  private head(): { id: string; object: 'chat.completion.chunk'; created: number; model: string } {
    return { id: this.id, object: 'chat.completion.chunk', created: this.created, model: this.model };
  }
}

/** Returns a piece of the arguments of a tool call: some hosts send all of them as an object. */
function toPartialJson(value: unknown): string {
  if (typeof value === 'string') return value;
  return typeof value === 'object' && value !== null ? JSON.stringify(value) : '';
}
