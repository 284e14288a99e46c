import type { SourceBody } from '../../features/rag/index.js';
import type { ChatChunk, ModelAnswer, ModelEvent, ModelIdentity, TokenUsage } from '../../llm/index.js';
import { type ModelRename, renameModelInJson, createModelRename } from './rename-model.js';

/** Converts usage to OpenAI's format. */
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
 * Returns a whole answer as JSON: the original text with the model renamed, if it contains the usage, on which
 * clients rely.
 * @param sources sources of an answer that is based on collections
 */
export function toCompletionText(
  { completion, raw, model, usage }: ModelAnswer,
  sources?: readonly SourceBody[],
): string {
  const { model: upstream } = completion;
  const asItCame =
    completion.usage && raw !== undefined && typeof upstream === 'string' && sources === undefined;
  const text = asItCame ? renameModelInJson(raw, createModelRename(upstream, model.name)) : undefined;
  const named = { ...completion, model: model.name, usage: completion.usage ?? toUsage(usage) };
  return text ?? JSON.stringify({ ...named, ...(sources && { sources }) });
}

/**
 * Converts the events of a model to Chat Completions chunks. They carry our name of the model, so that a client
 * can request it again. https://platform.openai.com/docs/api-reference/chat-streaming
 */
export class ChunkWriter {
  private model: ModelIdentity | undefined;
  /** The upstream's name of the model, as it appears in each of its chunks, and the replacement. */
  private rename: { readonly upstream: string; readonly fields: ModelRename } | undefined;

  private last: ChatChunk | undefined;
  private usageSent = false;

  /**
   * @param includeUsage true if the client requested the usage chunk, which we always request
   * @param sources sources of an answer that is based on collections; the first chunk carries them
   */
  constructor(
    private readonly includeUsage: boolean,
    private sources?: readonly SourceBody[],
  ) {}

  begin(model: ModelIdentity): void {
    this.model = model;
    this.rename = undefined;
  }

  /** Returns the chunk as JSON, or undefined if it is not sent to the client. */
  write({ chunk, raw }: Extract<ModelEvent, { type: 'chunk' }>): string | undefined {
    this.last = chunk;
    if (chunk.usage) this.usageSent = true;
    if (chunk.choices.length === 0 && chunk.usage && !this.includeUsage) return undefined;
    return raw === undefined || this.sources !== undefined || !isPlain(chunk, this.includeUsage)
      ? this.rewritten(chunk)
      : this.renamed(chunk, raw);
  }

  /** Returns the usage chunk if the client requested it and the host did not send it, else undefined. */
  usage(usage: TokenUsage): string | undefined {
    if (!this.includeUsage || this.usageSent || this.last === undefined) return undefined;
    return this.rewritten({ ...this.last, choices: [], usage: toUsage(usage) });
  }

  private renamed(chunk: ChatChunk, raw: string): string {
    // An SSE `data` field holds one line.
    if (raw.includes('\n')) return this.rewritten(chunk);
    const { model: upstream } = chunk;
    if (this.rename?.upstream !== upstream)
      this.rename = { upstream, fields: createModelRename(upstream, this.model?.name ?? '') };
    return renameModelInJson(raw, this.rename.fields) ?? this.rewritten(chunk);
  }

  private rewritten(chunk: ChatChunk): string {
    const { usage, ...rest } = chunk;
    const shown = this.includeUsage ? { usage: usage ?? null } : {};
    const { sources } = this;
    this.sources = undefined;
    const model = this.model?.name ?? chunk.model;
    return JSON.stringify({ ...rest, model, ...shown, ...(sources && { sources }) });
  }
}

/**
 * Returns true if a chunk can be sent unchanged. Some hosts put usage beside a choice, which is sent only on
 * request.
 */
function isPlain(chunk: ChatChunk, includeUsage: boolean): boolean {
  return includeUsage || !chunk.usage;
}
