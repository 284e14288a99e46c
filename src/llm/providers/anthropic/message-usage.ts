import { type CompletionUsage, getField, parseReplyCount } from '../../port/index.js';

/**
 * Token counts of a message. They come at its start and again, cumulative, at its end; hosts that copy the
 * protocol omit them in one of the two places, or send 0 there, so the greater value counts.
 */
export class AnthropicUsage {
  private readonly counts = new Map<string, number>();

  /** @param usage the field `usage` of `message_start` or `message_delta` */
  add(usage: unknown): void {
    for (const name of [
      'input_tokens',
      'cache_read_input_tokens',
      'cache_creation_input_tokens',
      'output_tokens',
    ]) {
      this.take(name, getField(usage, name));
    }
    this.take('thinking_tokens', getField(getField(usage, 'output_tokens_details'), 'thinking_tokens'));
  }

  /**
   * Returns the usage in the canonical format, or undefined if the host reported none. The protocol does not
   * include tokens read from and written to the prompt cache in the input tokens.
   */
  toCompletionUsage(): CompletionUsage | undefined {
    if (this.counts.size === 0) return undefined;
    const read = this.count('cache_read_input_tokens');
    const written = this.count('cache_creation_input_tokens');
    const prompt = this.count('input_tokens') + read + written;
    const completion = this.count('output_tokens');
    return {
      prompt_tokens: prompt,
      completion_tokens: completion,
      total_tokens: prompt + completion,
      prompt_tokens_details: { cached_tokens: read, cache_write_tokens: written },
      ...(this.counts.has('thinking_tokens') && {
        completion_tokens_details: { reasoning_tokens: this.count('thinking_tokens') },
      }),
    };
  }

  private take(name: string, value: unknown): void {
    const count = parseReplyCount(value);
    if (count !== undefined) this.counts.set(name, Math.max(this.count(name), count));
  }

  private count(name: string): number {
    return this.counts.get(name) ?? 0;
  }
}
