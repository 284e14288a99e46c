import type { ChatChunk, ModelAnswer, ModelEvent, ModelIdentity, TokenUsage } from '../../llm/index.js';
import { type Rename, renamed, renameOf } from './rename-model.js';

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

/** A whole answer as JSON: as it came, but for the model's name, where it tells the usage, on which clients count. */
export function toCompletionText({ completion, raw, model, usage }: ModelAnswer): string {
  const { model: upstream } = completion;
  const asItCame = completion.usage && raw !== undefined && typeof upstream === 'string';
  const text = asItCame ? renamed(raw, renameOf(upstream, model.name)) : undefined;
  return (
    text ?? JSON.stringify({ ...completion, model: model.name, usage: completion.usage ?? toUsage(usage) })
  );
}

/**
 * The events of a model as Chat Completions chunks. The model's name is ours, so that a client can ask it again.
 * https://platform.openai.com/docs/api-reference/chat-streaming
 */
export class ChunkWriter {
  private model: ModelIdentity | undefined;
  /** How the upstream names its model, as it stands in each of its chunks, and how we do. */
  private rename: { readonly upstream: string; readonly fields: Rename } | undefined;

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

  private renamed(chunk: ChatChunk, raw: string): string {
    // A frame holds one line.
    if (raw.includes('\n')) return this.rewritten(chunk);
    const { model: upstream } = chunk;
    if (this.rename?.upstream !== upstream)
      this.rename = { upstream, fields: renameOf(upstream, this.model?.name ?? '') };
    return renamed(raw, this.rename.fields) ?? this.rewritten(chunk);
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
