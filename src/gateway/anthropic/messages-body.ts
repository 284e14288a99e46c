import type Anthropic from '@anthropic-ai/sdk';

/**
 * A Messages request whose body was validated. The SDK's type no longer has the sampling parameters that older
 * clients send.
 */
export type MessagesBody = Omit<Anthropic.MessageCreateParamsNonStreaming, 'model' | 'stream'> & {
  readonly model?: string;
  readonly stream?: boolean | null;
  /** Our own field: true if a cached answer to an equal request may be returned. */
  readonly cache?: boolean | null;
  readonly temperature?: number | null;
  readonly top_p?: number | null;
  readonly top_k?: number | null;
  /** The former name of `output_config.format`. */
  readonly output_format?: Anthropic.JSONOutputFormat | null;
};

/** The body of the token counting route, which generates no answer and so has no limit. */
export type CountBody = Omit<MessagesBody, 'max_tokens'>;

/** The caller's headers that belong to the protocol. */
export interface AnthropicHeaders {
  readonly 'anthropic-version'?: string | string[] | undefined;
  readonly 'anthropic-beta'?: string | string[] | undefined;
}
