import OpenAI from 'openai';
import {
  type ChatCompletion,
  type ChatRequest,
  type EmbeddingCall,
  type EmbeddingResult,
  fieldOf,
  type ListedModel,
  type MediaKind,
  ModelProvider,
  type ProviderCall,
  ProviderError,
  type ProviderEvent,
  type ReadingCall,
  type WholeAnswer,
} from '../../port/index.js';
import { abandonBody, bytesOf, finishBody, SdkTransport } from '../../transport/sdk-transport.js';
import { ChatEndpoint } from './chat-endpoint.js';
import { toListedModel } from './listed-models.js';
import { toProviderError, toProviderErrorInStream } from './openai-errors.js';
import { readsMedia } from './openai-models.js';
import { ChatStreamReader } from './openai-stream.js';

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
  /** For what is asked now and then. */
  private readonly client: OpenAI;
  /** For what is asked all the time. */
  private readonly chat: ChatEndpoint;
  private readonly official: boolean;
  private readonly knownModels: readonly string[] | undefined;

  constructor({ id, baseUrl, apiKey, connectTimeoutMs, models }: OpenAiProviderOptions) {
    super();
    this.id = id;
    this.knownModels = models;
    this.official = baseUrl === undefined || new URL(baseUrl).hostname.endsWith('openai.com');
    this.transport = new SdkTransport({ connectTimeoutMs });
    this.client = new OpenAI({
      // The SDK insists on a key; hosts without authentication ignore this one.
      apiKey: apiKey ?? 'none',
      baseURL: baseUrl ?? null,
      maxRetries: 0,
      // The deadlines above the provider bound all waiting.
      timeout: 2_147_483_647,
      fetch: this.transport.fetchWhole,
    });
    this.chat = new ChatEndpoint(this.client, this.transport.agent);
  }

  override async *stream({ model, request, signal, apiKey }: ProviderCall): AsyncGenerator<ProviderEvent> {
    const body = {
      ...this.adapted(request),
      model,
      stream: true,
      stream_options: { include_usage: true },
    } as const;
    try {
      const bytes = await this.chat.stream(body, { signal, apiKey });
      const reader = new ChatStreamReader();
      try {
        for await (const piece of bytesOf(bytes)) {
          for (const event of reader.push(piece)) yield event;
          if (reader.done) break;
        }
        yield* reader.end();
      } finally {
        if (reader.done) finishBody(bytes);
        else abandonBody(bytes);
      }
    } catch (error) {
      throw toProviderError(error);
    }
  }

  override async complete({ model, request, signal, apiKey }: ProviderCall): Promise<WholeAnswer> {
    try {
      const body = { ...this.adapted(request), model, stream: false } as const;
      const raw = await this.chat.whole(body, { signal, apiKey });
      return { completion: readCompletion(raw), raw };
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
      const { data, usage } = await this.client.embeddings.create(
        {
          model,
          input,
          encoding_format: 'float',
          ...(dimensions !== undefined && { dimensions }),
        },
        { signal, ...withKey(apiKey) },
      );
      const vectors = data
        .toSorted((one, other) => one.index - other.index)
        .map(({ embedding }) => embedding);
      // Whatever the SDK's type says: not every host tells it.
      const tokens = fieldOf(usage, 'prompt_tokens');
      return { vectors, inputTokens: isCount(tokens) ? tokens : undefined };
    } catch (error) {
      throw toProviderError(error);
    }
  }

  override async models(signal: AbortSignal): Promise<readonly ListedModel[]> {
    if (this.knownModels !== undefined) return this.knownModels.map((id) => ({ id }));
    try {
      const page = await this.client.models.list({ signal });
      return page.data.map(toListedModel);
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

/** A key for one request, instead of the client's. */
function withKey(apiKey: string | undefined) {
  return apiKey === undefined ? {} : { headers: { authorization: `Bearer ${apiKey}` } };
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

/** A whole answer. Some hosts tell an error with status 200. */
function readCompletion(text: string): ChatCompletion {
  const value: unknown = JSON.parse(text);
  if (typeof value === 'object' && value !== null) {
    if ('error' in value && value.error !== null) throw toProviderErrorInStream(value.error);
    if (isCompletion(value)) return value;
  }
  throw new ProviderError('broken_answer', 'The provider answered with something that is no answer.');
}

function isCompletion(value: object): value is ChatCompletion {
  return (
    'choices' in value &&
    Array.isArray(value.choices) &&
    value.choices.length > 0 &&
    value.choices.every(
      (choice: unknown) =>
        typeof choice === 'object' &&
        choice !== null &&
        'message' in choice &&
        typeof choice.message === 'object' &&
        choice.message !== null &&
        'finish_reason' in choice &&
        typeof choice.finish_reason === 'string',
    )
  );
}
