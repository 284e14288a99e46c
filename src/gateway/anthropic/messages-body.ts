import type Anthropic from '@anthropic-ai/sdk';

/** A Messages request whose body was checked. The SDK's type no longer knows the sampling that older clients send. */
export type MessagesBody = Omit<Anthropic.MessageCreateParamsNonStreaming, 'model' | 'stream'> & {
  readonly model?: string;
  readonly stream?: boolean | null;
  /** Ours: whether the answer of an equal request may be given again. */
  readonly cache?: boolean | null;
  readonly temperature?: number | null;
  readonly top_p?: number | null;
  readonly top_k?: number | null;
  /** The name of `output_config.format` before it had its place there. */
  readonly output_format?: Anthropic.JSONOutputFormat | null;
};

/** The same for the route that counts: there is no answer that could have a limit. */
export type CountBody = Omit<MessagesBody, 'max_tokens'>;

/** What of a caller's headers belongs to the wire. */
export interface WireHeaders {
  readonly 'anthropic-version'?: string | string[] | undefined;
  readonly 'anthropic-beta'?: string | string[] | undefined;
}
