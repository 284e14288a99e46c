import type { ChatChunk, ModelEvent, ModelIdentity, TokenUsage } from '../../llm/index.js';

/** Tokens as OpenAI's clients read them. */
export function toUsage({ inputTokens, outputTokens, cachedTokens, reasoningTokens }: TokenUsage) {
  return {
    prompt_tokens: inputTokens,
    completion_tokens: outputTokens,
    total_tokens: inputTokens + outputTokens,
    prompt_tokens_details: { cached_tokens: cachedTokens },
    completion_tokens_details: { reasoning_tokens: reasoningTokens },
  };
}

/**
 * The events of a model as Chat Completions chunks. The model's name is ours, so that a client can ask it again.
 * https://platform.openai.com/docs/api-reference/chat-streaming
 */
export class ChunkWriter {
  private model: ModelIdentity | undefined;
  /** How the upstream names its model, as it stands in each of its chunks, and how we do. */
  private rename: { readonly from: string; readonly upstream: string; readonly to: string } | undefined;

  private last: ChatChunk | undefined;
  private usageTold = false;

  /** @param includeUsage whether the client asked for the usage chunk, which we ask for always */
  constructor(private readonly includeUsage: boolean) {}

  begin(model: ModelIdentity): void {
    this.model = model;
    this.rename = undefined;
  }

  /** The chunk as JSON, or undefined where the client is not to see it. */
  write({ chunk, raw }: Extract<ModelEvent, { type: 'chunk' }>): string | undefined {
    this.last = chunk;
    if (chunk.usage) this.usageTold = true;
    if (chunk.choices.length === 0 && chunk.usage && !this.includeUsage) return undefined;
    return raw === undefined || !isPlain(chunk, this.includeUsage)
      ? this.rewritten(chunk)
      : this.renamed(chunk, raw);
  }

  /** The usage chunk that the client asked for and the host did not send, or undefined. */
  usage(usage: TokenUsage): string | undefined {
    if (!this.includeUsage || this.usageTold || this.last === undefined) return undefined;
    return this.rewritten({ ...this.last, choices: [], usage: toUsage(usage) });
  }

  /** Text for text, because writing a chunk anew costs more than all else that is done to it. */
  private renamed(chunk: ChatChunk, raw: string): string {
    if (this.rename?.upstream !== chunk.model) {
      const to = `"model":${JSON.stringify(this.model?.name ?? '')}`;
      this.rename = { from: `"model":${JSON.stringify(chunk.model)}`, upstream: chunk.model, to };
    }
    const { from, to } = this.rename;
    const at = raw.indexOf(from);
    // Inside of a JSON text every quote is escaped, so what matches is the field itself. Text of several lines has to
    // become one line, which is what a frame can hold.
    return at === -1 || raw.includes('\n')
      ? this.rewritten(chunk)
      : raw.slice(0, at) + to + raw.slice(at + from.length);
  }

  private rewritten(chunk: ChatChunk): string {
    const { usage, ...rest } = chunk;
    const shown = this.includeUsage ? { usage: usage ?? null } : {};
    return JSON.stringify({ ...rest, model: this.model?.name ?? chunk.model, ...shown });
  }
}

/** Whether a chunk can go out as it came: some hosts put usage beside a choice, which is not to be seen unasked. */
function isPlain(chunk: ChatChunk, includeUsage: boolean): boolean {
  return includeUsage || !chunk.usage;
}
