import OpenAI from 'openai';
import {
  type EmbeddingCall,
  type EmbeddingResult,
  type ListedModel,
  type MediaKind,
  ModelProvider,
  type ProviderCall,
  type ProviderEvent,
  type CapabilityQuery,
  type CompleteAnswer,
} from '../../port/index.js';
import { SdkTransport } from '../../transport/sdk-transport.js';
import { newAnswerMetadata } from './chunk-normalizer.js';
import { readOpenAiEmbeddings } from './embedding-reply.js';
import { HostEndpoint } from './host-endpoint.js';
import { type HostProfile, hostProfileOf } from './host-profile.js';
import { HostRefusal } from './host-refusal.js';
import { LearnedChanges } from './learned-changes.js';
import { readListedModels } from './listed-models.js';
import { toOpenAiError } from './openai-errors.js';
import { openAiModelSupportsMedia } from './openai-models.js';
import { ChatStreamReader } from './chat-stream-reader.js';
import { findRequestChange, type RequestChange } from './request-changes.js';
import { toHostRequest } from './to-host-request.js';
import { parseCompletionResponse } from './completion-response.js';

export interface OpenAiProviderOptions {
  readonly id: string;
  /** URL up to and including `/v1`; undefined for OpenAI's own. */
  readonly baseUrl: string | undefined;
  /** Undefined for hosts that need no key. */
  readonly apiKey: string | undefined;
  /** Timeout for connecting, in milliseconds. */
  readonly connectTimeoutMs: number;
  /** The models to list if the host does not list them itself. */
  readonly models?: readonly string[] | undefined;
}

/** A request body, and the changes that would alter it if the host refuses it. */
interface Draft {
  readonly body: object;
  readonly possible: ReadonlySet<RequestChange>;
}

/**
 * Any host that uses OpenAI's API format, which is the canonical one. If a host refuses something that the
 * caller did not send, the provider repeats the request once without it within the same attempt, and remembers
 * the change for this model.
 */
export class OpenAiProvider extends ModelProvider {
  override readonly id: string;
  override readonly protocol = 'openai';
  private readonly transport: SdkTransport;
  private readonly host: HostEndpoint;
  readonly profile: HostProfile;
  private readonly learned = new LearnedChanges();
  private readonly knownModels: readonly string[] | undefined;

  constructor({ id, baseUrl, apiKey, connectTimeoutMs, models }: OpenAiProviderOptions) {
    super();
    this.id = id;
    this.knownModels = models;
    this.profile = hostProfileOf(baseUrl);
    this.transport = new SdkTransport({ connectTimeoutMs });
    const client = new OpenAI({
      // The SDK requires a key; hosts without authentication ignore this one.
      apiKey: apiKey ?? 'none',
      baseURL: baseUrl ?? null,
    });
    this.host = new HostEndpoint(client, this.transport.agent);
  }

  override async *stream(call: ProviderCall): AsyncGenerator<ProviderEvent> {
    const usage = { stream: true, stream_options: { include_usage: true } } as const;
    const draft = (changes: ReadonlySet<RequestChange>): Draft => {
      const { body, possible } = toHostRequest(call, this, changes);
      if (changes.has('without_stream_options')) return { body: { ...body, stream: true }, possible };
      return {
        body: { ...body, ...usage },
        possible: new Set([...possible, 'without_stream_options' as const]),
      };
    };
    try {
      const answer = await this.ask(call.model, draft, (body) =>
        this.host.stream('/chat/completions', body, call),
      );
      const reader = new ChatStreamReader(newAnswerMetadata(call.model));
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
      throw toOpenAiError(error);
    }
  }

  override async complete(call: ProviderCall): Promise<CompleteAnswer> {
    const draft = (changes: ReadonlySet<RequestChange>): Draft => {
      const { body, possible } = toHostRequest(call, this, changes);
      return { body: { ...body, stream: false }, possible };
    };
    try {
      const text = await this.ask(call.model, draft, (body) =>
        this.host.whole('/chat/completions', body, call),
      );
      return parseCompletionResponse(text, newAnswerMetadata(call.model));
    } catch (error) {
      throw toOpenAiError(error);
    }
  }

  /**
   * Embeds texts. Names the encoding of the vectors only if the host insists: some refuse floats (Voyage),
   * others base64. The caller receives the encoding that it requested in any case.
   */
  override async embed(call: EmbeddingCall): Promise<EmbeddingResult> {
    const { model, input, dimensions } = call;
    const draft = (changes: ReadonlySet<RequestChange>): Draft => {
      const named = changes.has('with_encoding_format');
      return {
        body: {
          model,
          input,
          ...(named && { encoding_format: 'float' }),
          ...(dimensions !== undefined && { dimensions }),
        },
        possible: new Set(named ? [] : ['with_encoding_format' as const]),
      };
    };
    try {
      const text = await this.ask(model, draft, (body) => this.host.whole('/embeddings', body, call));
      return readOpenAiEmbeddings(text, input.length);
    } catch (error) {
      throw toOpenAiError(error);
    }
  }

  override async listModels(signal: AbortSignal): Promise<readonly ListedModel[]> {
    if (this.knownModels !== undefined) return this.knownModels.map((id) => ({ id }));
    try {
      return readListedModels(await this.host.whole('/models', undefined, { signal }));
    } catch (error) {
      throw toOpenAiError(error);
    }
  }

  /** Returns undefined for all other hosts, which may use OpenAI's model names for other models. */
  override supportsMedia(kind: MediaKind, { model }: CapabilityQuery): Promise<boolean | undefined> {
    return Promise.resolve(this.profile.official ? openAiModelSupportsMedia(model, kind) : undefined);
  }

  override close(): Promise<void> {
    return this.transport.close();
  }

  /**
   * Sends a request with the changes known for the model, and repeats it with each change that the host's
   * refusals call for. Each change is made at most once, and only the changes that led to an answer are
   * remembered.
   * @throws ProviderError, NoAnswerError
   */
  private async ask<Answer>(
    model: string,
    draft: (changes: ReadonlySet<RequestChange>) => Draft,
    send: (body: object) => Promise<Answer>,
  ): Promise<Answer> {
    const changes = new Set(this.learned.of(model));
    const known = changes.size;
    for (;;) {
      const { body, possible } = draft(changes);
      try {
        const answer = await send(body);
        if (changes.size > known) this.learned.add(model, changes);
        return answer;
      } catch (error) {
        if (!(error instanceof HostRefusal)) throw error;
        const change = findRequestChange(error.text, possible);
        if (change === undefined || changes.has(change)) throw error.reason;
        changes.add(change);
      }
    }
  }
}
