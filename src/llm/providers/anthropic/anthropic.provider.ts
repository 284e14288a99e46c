import Anthropic from '@anthropic-ai/sdk';
import {
  type ChatRequest,
  type ListedModel,
  type MediaKind,
  ModelProvider,
  type NativeRequest,
  type ProviderCall,
  type ProviderEvent,
  type CapabilityQuery,
  type CompleteAnswer,
} from '../../port/index.js';
import { SdkTransport } from '../../transport/sdk-transport.js';
import { AdjustedStreams } from '../../transport/adjusted-streams.js';
import { toAnthropicError } from './anthropic-errors.js';
import { claudeSupportsMedia } from './claude-models.js';
import { readModelPage } from './listed-claude-models.js';
import { readMessage, readTokenCount } from './from-anthropic-message.js';
import { MessageStreamReader } from './message-stream-reader.js';
import {
  droppedParameters,
  hasDefaultLimit,
  type AnthropicRequest,
  toMessagesRequest,
} from './to-anthropic-request.js';

/** Anthropic's own address. Always passed, or the SDK would read one from the environment. */
const OFFICIAL_URL = 'https://api.anthropic.com';

/** The protocol version that still accepts `temperature` and `top_p`. The SDK requests a newer one. */
const VERSION_WITH_SAMPLING = '2023-06-01';

/** Models per page of the list, which is the maximum of the API, and the maximum number of pages. */
const LIST = { pageSize: 1000, maxPages: 10 };

export interface AnthropicProviderOptions {
  readonly id: string;
  /** URL with or without `/v1` at its end; undefined for Anthropic's own. */
  readonly baseUrl?: string | undefined;
  /** Undefined for hosts that need no key. */
  readonly apiKey?: string | undefined;
  /** Timeout for connecting, in milliseconds. */
  readonly connectTimeoutMs: number;
}

/** Anthropic, or a host that implements its Messages API. https://platform.claude.com/docs/en/api/messages */
export class AnthropicProvider extends ModelProvider {
  override readonly id: string;
  override readonly protocol = 'anthropic';
  private readonly transport: SdkTransport;
  private readonly client: Anthropic;
  private readonly streams = new AdjustedStreams();

  constructor({ id, baseUrl, apiKey, connectTimeoutMs }: AnthropicProviderOptions) {
    super();
    this.id = id;
    this.transport = new SdkTransport({ connectTimeoutMs });
    // The SDK requires a key; hosts without authentication ignore this one.
    const key = apiKey ?? 'none';
    this.client = new Anthropic({
      apiKey: key,
      // The SDK adds the version itself.
      baseURL: (baseUrl ?? OFFICIAL_URL).replace(/\/(v1\/?)?$/, ''),
      // Every version of the protocol and every host that copies it accepts the key in this header, some of
      // them only there.
      defaultHeaders: { authorization: null, 'x-api-key': key },
      maxRetries: 0,
      openTelemetry: false,
      // The caller's deadlines limit all waiting.
      timeout: 2_147_483_647,
      // We read the response bodies ourselves.
      fetch: this.transport.fetchRaw,
    });
  }

  override async *stream(call: ProviderCall): AsyncGenerator<ProviderEvent> {
    const { model, native, request, ownChoices = [], signal, apiKey } = call;
    if (native !== undefined) {
      yield* this.read(call, () => this.relay(call, native, { stream: true }));
      return;
    }
    yield* this.streams.stream(model, (adjustments) => {
      const body = toMessagesRequest(call, adjustments);
      return {
        ownTemperature: ownChoices.includes('temperature') && body.temperature !== undefined,
        ownMaxTokens: hasDefaultLimit(request) ? body.max_tokens : undefined,
        send: () => this.read(call, () => this.send(body, signal, apiKey)),
      };
    });
  }

  override async complete(call: ProviderCall): Promise<CompleteAnswer> {
    const { model, native } = call;
    if (native === undefined) return super.complete(call);
    try {
      const response = await this.relay(call, native, { stream: false });
      const raw = await this.transport.takeBody(response).text();
      return { completion: readMessage(raw, { model, created: now() }), raw };
    } catch (error) {
      throw toAnthropicError(error);
    }
  }

  override async countTokens(call: ProviderCall): Promise<number | undefined> {
    if (call.native === undefined) return undefined;
    try {
      return readTokenCount(await this.transport.takeBody(await this.relay(call, call.native, {})).text());
    } catch (error) {
      throw toAnthropicError(error);
    }
  }

  override supportsMedia(kind: MediaKind, { model }: CapabilityQuery): Promise<boolean | undefined> {
    return Promise.resolve(claudeSupportsMedia(model, kind));
  }

  override droppedParameters(request: ChatRequest, model: string): readonly string[] {
    return droppedParameters(request, model);
  }

  override async listModels(signal: AbortSignal): Promise<readonly ListedModel[]> {
    try {
      const models: ListedModel[] = [];
      let after: string | undefined;
      for (let pages = 0; pages < LIST.maxPages; pages += 1) {
        const query = { limit: LIST.pageSize, ...(after !== undefined && { after_id: after }) };
        const response = await this.client.get('/v1/models', { query, signal }).asResponse();
        const page = readModelPage(await this.transport.takeBody(response).text());
        models.push(...page.models);
        after = page.nextAfter;
        if (after === undefined) break;
      }
      return models;
    } catch (error) {
      throw toAnthropicError(error);
    }
  }

  override close(): Promise<void> {
    return this.transport.close();
  }

  /** Sends a request and reads the stream of its answer. */
  private async *read(
    { model, native }: ProviderCall,
    send: () => Promise<Response>,
  ): AsyncGenerator<ProviderEvent> {
    try {
      const body = this.transport.takeBody(await send());
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
      throw toAnthropicError(error);
    }
  }

  /** Sends the caller's own request, with only the model and the streaming mode replaced. */
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

  /**
   * Sends a request. Does not use `messages.create`, which logs warnings to the console for models that are
   * about to be retired.
   */
  private send(body: AnthropicRequest, signal: AbortSignal, apiKey: string | undefined): Promise<Response> {
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

/** Returns the header for the user's own key, which replaces the client's. */
function withKey(apiKey: string | undefined): Record<string, string> {
  return apiKey === undefined ? {} : { 'x-api-key': apiKey };
}

/** Returns the version header if the request needs another version than the SDK's. */
function versionFor(body: { temperature?: unknown; top_p?: unknown }): Record<string, string> {
  const samples = body.temperature !== undefined || body.top_p !== undefined;
  return samples ? { 'anthropic-version': VERSION_WITH_SAMPLING } : {};
}

function now(): number {
  return Math.floor(Date.now() / 1000);
}
