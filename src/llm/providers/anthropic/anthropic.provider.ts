import Anthropic from '@anthropic-ai/sdk';
import {
  type ChatRequest,
  type ListedModel,
  type MediaKind,
  ModelProvider,
  type NativeRequest,
  type ProviderCall,
  type ProviderEvent,
  type ReadingCall,
  type WholeAnswer,
} from '../../port/index.js';
import { SdkTransport } from '../../transport/sdk-transport.js';
import { toProviderError } from './anthropic-errors.js';
import { readsMedia } from './claude-models.js';
import { readModelPage } from './listed-claude-models.js';
import { readMessage, readTokenCount } from './from-anthropic-message.js';
import { MessageStreamReader } from './message-stream-reader.js';
import { droppedHints, type MessagesRequest, toMessagesRequest } from './to-anthropic-request.js';

/** Anthropic's own address. Given always, or the SDK would take one from the environment. */
const OFFICIAL_URL = 'https://api.anthropic.com';

/** The version of the wire that still takes `temperature` and `top_p`. The SDK asks for a newer one. */
const VERSION_WITH_SAMPLING = '2023-06-01';

/** Models in one page of the list, which is the most that the wire gives, and how many pages are read. */
const LIST = { pageSize: 1000, maxPages: 10 };

export interface AnthropicProviderOptions {
  readonly id: string;
  /** With or without `/v1` at its end; undefined is Anthropic's own. */
  readonly baseUrl?: string | undefined;
  /** Undefined for hosts that ask for none. */
  readonly apiKey?: string | undefined;
  /** Milliseconds. */
  readonly connectTimeoutMs: number;
}

/** Anthropic, or a host that speaks its Messages API. https://platform.claude.com/docs/en/api/messages */
export class AnthropicProvider extends ModelProvider {
  override readonly id: string;
  override readonly wire = 'anthropic';
  private readonly transport: SdkTransport;
  private readonly client: Anthropic;

  constructor({ id, baseUrl, apiKey, connectTimeoutMs }: AnthropicProviderOptions) {
    super();
    this.id = id;
    this.transport = new SdkTransport({ connectTimeoutMs });
    // The SDK insists on a key; hosts without authentication ignore this one.
    const key = apiKey ?? 'none';
    this.client = new Anthropic({
      apiKey: key,
      // The SDK adds the version itself.
      baseURL: (baseUrl ?? OFFICIAL_URL).replace(/\/(v1\/?)?$/, ''),
      // Every version of the wire and every host that copies it takes the key here, and some of them only here.
      defaultHeaders: { authorization: null, 'x-api-key': key },
      maxRetries: 0,
      openTelemetry: false,
      // The deadlines above the provider bound all waiting.
      timeout: 2_147_483_647,
      // Answers are read by us.
      fetch: this.transport.fetchRaw,
    });
  }

  override async *stream(call: ProviderCall): AsyncGenerator<ProviderEvent> {
    const { model, native } = call;
    // Not within the try: a refusal of the mapping is the caller's to read, and none of the provider's.
    const send = this.prepared(call);
    try {
      const body = this.transport.take(await send());
      const reader = new MessageStreamReader({ model, created: now(), relay: native !== undefined });
      try {
        for await (const piece of body.bytes()) {
          for (const event of reader.push(piece)) yield event;
          if (reader.done) break;
        }
        yield* reader.end();
      } finally {
        if (reader.done) void body.finish();
        else body.abandon();
      }
    } catch (error) {
      throw toProviderError(error);
    }
  }

  override async complete(call: ProviderCall): Promise<WholeAnswer> {
    const { model, native } = call;
    if (native === undefined) return super.complete(call);
    try {
      const response = await this.relay(call, native, { stream: false });
      const raw = await this.transport.take(response).text();
      return { completion: readMessage(raw, { model, created: now() }), raw };
    } catch (error) {
      throw toProviderError(error);
    }
  }

  override async countTokens(call: ProviderCall): Promise<number | undefined> {
    if (call.native === undefined) return undefined;
    try {
      return readTokenCount(await this.transport.take(await this.relay(call, call.native, {})).text());
    } catch (error) {
      throw toProviderError(error);
    }
  }

  override reads(kind: MediaKind, { model }: ReadingCall): Promise<boolean | undefined> {
    return Promise.resolve(readsMedia(model, kind));
  }

  override droppedHints(request: ChatRequest, model: string): readonly string[] {
    return droppedHints(request, model);
  }

  override async models(signal: AbortSignal): Promise<readonly ListedModel[]> {
    try {
      const models: ListedModel[] = [];
      let after: string | undefined;
      for (let pages = 0; pages < LIST.maxPages; pages += 1) {
        const query = { limit: LIST.pageSize, ...(after !== undefined && { after_id: after }) };
        const response = await this.client.get('/v1/models', { query, signal }).asResponse();
        const page = readModelPage(await this.transport.take(response).text());
        models.push(...page.models);
        after = page.nextAfter;
        if (after === undefined) break;
      }
      return models;
    } catch (error) {
      throw toProviderError(error);
    }
  }

  override close(): Promise<void> {
    return this.transport.close();
  }

  /** @throws AppError `invalid_request` for what the API format cannot carry */
  private prepared(call: ProviderCall): () => Promise<Response> {
    const { native, signal, apiKey } = call;
    if (native !== undefined) return () => this.relay(call, native, { stream: true });
    const body = toMessagesRequest(call);
    return () => this.send(body, signal, apiKey);
  }

  /** The caller's own request, of which only the model and the way of answering are ours. */
  private relay(
    { model, signal, apiKey }: ProviderCall,
    { path, body, headers }: NativeRequest,
    mode: { readonly stream?: boolean },
  ): Promise<Response> {
    return this.client
      .post(path, {
        body: { ...body, model, ...mode },
        signal,
        stream: mode.stream === true,
        headers: { ...versionFor(body), ...headers, ...withKey(apiKey) },
      })
      .asResponse();
  }

  /** Not through `messages.create`, which warns on the console of models that are near their end. */
  private send(body: MessagesRequest, signal: AbortSignal, apiKey: string | undefined): Promise<Response> {
    return this.client
      .post('/v1/messages', {
        body,
        signal,
        stream: true,
        headers: { ...versionFor(body), ...withKey(apiKey) },
      })
      .asResponse();
  }
}

/** The user's own key, instead of the client's. */
function withKey(apiKey: string | undefined): Record<string, string> {
  return apiKey === undefined ? {} : { 'x-api-key': apiKey };
}

/** The version to ask for where it is not the SDK's own. */
function versionFor(body: { temperature?: unknown; top_p?: unknown }): Record<string, string> {
  const samples = body.temperature !== undefined || body.top_p !== undefined;
  return samples ? { 'anthropic-version': VERSION_WITH_SAMPLING } : {};
}

function now(): number {
  return Math.floor(Date.now() / 1000);
}
