import OpenAI from 'openai';
import {
  type ChatRequest,
  type EmbeddingCall,
  type EmbeddingResult,
  type ListedModel,
  type MediaKind,
  ModelProvider,
  type ProviderCall,
  type ProviderEvent,
  type ReadingCall,
  type WholeAnswer,
} from '../../port/index.js';
import { SdkTransport } from '../../transport/sdk-transport.js';
import { newHead } from './chunk-normaliser.js';
import { readEmbeddings } from './embedding-reply.js';
import { HostEndpoint } from './host-endpoint.js';
import { readListedModels } from './listed-models.js';
import { toProviderError } from './openai-errors.js';
import { readsMedia } from './openai-models.js';
import { ChatStreamReader } from './openai-stream.js';
import { readWholeReply } from './whole-reply.js';

export interface OpenAiProviderOptions {
  readonly id: string;
  /** Up to and with `/v1`; undefined is OpenAI's own. */
  readonly baseUrl: string | undefined;
  /** Undefined for hosts that ask for none. */
  readonly apiKey: string | undefined;
  /** Milliseconds. */
  readonly connectTimeoutMs: number;
  /** The models to list where the host does not tell them itself. */
  readonly models?: readonly string[] | undefined;
}

/** Any host that speaks OpenAI's wire. Nothing is translated: request and chunks are the common tongue already. */
export class OpenAiProvider extends ModelProvider {
  override readonly id: string;
  override readonly wire = 'openai';
  private readonly transport: SdkTransport;
  private readonly host: HostEndpoint;
  private readonly official: boolean;
  private readonly knownModels: readonly string[] | undefined;

  constructor({ id, baseUrl, apiKey, connectTimeoutMs, models }: OpenAiProviderOptions) {
    super();
    this.id = id;
    this.knownModels = models;
    this.official = baseUrl === undefined || new URL(baseUrl).hostname.endsWith('openai.com');
    this.transport = new SdkTransport({ connectTimeoutMs });
    const client = new OpenAI({
      // The SDK insists on a key; hosts without authentication ignore this one.
      apiKey: apiKey ?? 'none',
      baseURL: baseUrl ?? null,
    });
    this.host = new HostEndpoint(client, this.transport.agent);
  }

  override async *stream({ model, request, signal, apiKey }: ProviderCall): AsyncGenerator<ProviderEvent> {
    const body = {
      ...this.adapted(request),
      model,
      stream: true,
      stream_options: { include_usage: true },
    } as const;
    try {
      const answer = await this.host.stream('/chat/completions', body, { signal, apiKey });
      const reader = new ChatStreamReader(newHead(model));
      try {
        for await (const piece of answer.bytes()) {
          for (const event of reader.push(piece)) yield event;
          if (reader.done) break;
        }
        yield* reader.end();
      } finally {
        if (reader.done) void answer.finish();
        else answer.abandon();
      }
    } catch (error) {
      throw toProviderError(error);
    }
  }

  override async complete({ model, request, signal, apiKey }: ProviderCall): Promise<WholeAnswer> {
    try {
      const body = { ...this.adapted(request), model, stream: false } as const;
      const text = await this.host.whole('/chat/completions', body, { signal, apiKey });
      return readWholeReply(text, newHead(model));
    } catch (error) {
      throw toProviderError(error);
    }
  }

  override async embed({
    model,
    input,
    dimensions,
    signal,
    apiKey,
  }: EmbeddingCall): Promise<EmbeddingResult> {
    try {
      const body = {
        model,
        input,
        encoding_format: 'float',
        ...(dimensions !== undefined && { dimensions }),
      } as const;
      return readEmbeddings(await this.host.whole('/embeddings', body, { signal, apiKey }), input.length);
    } catch (error) {
      throw toProviderError(error);
    }
  }

  override async models(signal: AbortSignal): Promise<readonly ListedModel[]> {
    if (this.knownModels !== undefined) return this.knownModels.map((id) => ({ id }));
    try {
      return readListedModels(await this.host.whole('/models', undefined, { signal }));
    } catch (error) {
      throw toProviderError(error);
    }
  }

  /** Of other hosts, and of what they mean by OpenAI's names, nothing is known. */
  override reads(kind: MediaKind, { model }: ReadingCall): Promise<boolean | undefined> {
    return Promise.resolve(this.official ? readsMedia(model, kind) : undefined);
  }

  override close(): Promise<void> {
    return this.transport.close();
  }

  /** Only OpenAI itself knows `max_completion_tokens` for sure, and only the old name is known to every other host. */
  private adapted(request: ChatRequest): ChatRequest {
    const { max_completion_tokens: limit, ...adapted } = request;
    if (this.official || typeof limit !== 'number') return request;
    adapted.max_tokens = limit;
    return adapted;
  }
}
