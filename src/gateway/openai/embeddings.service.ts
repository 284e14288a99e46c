import { Injectable } from '@nestjs/common';
import type { Caller } from '../../common/caller.js';
import { newId } from '../../common/ids.js';
import { LlmService, REQUEST_HANDLING } from '../../llm/index.js';

/** An Embeddings request whose body was validated. */
export interface EmbeddingBody {
  readonly model: string;
  readonly input: string | string[] | number[] | number[][];
  readonly dimensions?: number | null;
  readonly encoding_format?: 'float' | 'base64' | null;
}

/** The vectors in OpenAI's format. */
export interface EmbeddingList {
  readonly object: 'list';
  readonly data: readonly {
    readonly object: 'embedding';
    readonly index: number;
    readonly embedding: readonly number[] | string;
  }[];
  readonly model: string;
  readonly usage: { readonly prompt_tokens: number; readonly total_tokens: number };
}

@Injectable()
export class EmbeddingsService {
  constructor(private readonly llm: LlmService) {}

  /** @throws AppError if there are no vectors */
  async create(
    caller: Caller,
    body: EmbeddingBody,
    signal: AbortSignal,
    handling = REQUEST_HANDLING,
  ): Promise<EmbeddingList> {
    const { vectors, model, attempts } = await this.llm.embed({
      callId: newId(),
      ...caller,
      model: body.model,
      input: toList(body.input),
      dimensions: body.dimensions ?? undefined,
      signal,
      ...handling,
    });
    const encode = body.encoding_format === 'base64' ? toBase64 : (vector: readonly number[]) => vector;
    const tokens = attempts.at(-1)?.usage.inputTokens ?? 0;
    return {
      object: 'list',
      data: vectors.map((vector, index) => ({ object: 'embedding', index, embedding: encode(vector) })),
      model: model.name,
      usage: { prompt_tokens: tokens, total_tokens: tokens },
    };
  }
}

/** Converts the input to a list: a single text or a single list of tokens becomes a list of one. */
function toList(input: EmbeddingBody['input']): string[] | number[][] {
  if (typeof input === 'string') return [input];
  return isTokens(input) ? [input] : input;
}

function isTokens(input: string[] | number[] | number[][]): input is number[] {
  return typeof input[0] === 'number';
}

/** Encodes a vector as little-endian float32, which the official clients request by default and decode. */
function toBase64(vector: readonly number[]): string {
  const bytes = Buffer.allocUnsafe(vector.length * 4);
  for (const [index, value] of vector.entries()) bytes.writeFloatLE(value, index * 4);
  return bytes.toString('base64');
}
