import OpenAI from 'openai';
import { Agent } from 'undici';
import {
  type ChatRequest,
  ModelProvider,
  type ProviderCall,
  ProviderError,
  type ProviderEvent,
} from '../../port/index.js';
import { toProviderError } from './openai-errors.js';
import { readChatStream } from './openai-stream.js';

export interface OpenAiProviderOptions {
  readonly id: string;
  /** Up to and with `/v1`; undefined is OpenAI's own. */
  readonly baseUrl: string | undefined;
  /** Undefined for hosts that ask for none. */
  readonly apiKey: string | undefined;
  /** Milliseconds. */
  readonly connectTimeoutMs: number;
}

/** Any host that speaks OpenAI's wire. Nothing is translated: request and chunks are the common tongue already. */
export class OpenAiProvider extends ModelProvider {
  override readonly id: string;
  override readonly wire = 'openai';
  private readonly client: OpenAI;
  private readonly agent: Agent;
  private readonly official: boolean;

  constructor(options: OpenAiProviderOptions) {
    super();
    this.id = options.id;
    this.official = options.baseUrl === undefined || new URL(options.baseUrl).hostname.endsWith('openai.com');
    // The deadlines above the provider bound the waiting, so undici's own for headers and body are off.
    this.agent = new Agent({
      connect: { timeout: options.connectTimeoutMs },
      headersTimeout: 0,
      bodyTimeout: 0,
    });
    this.client = new OpenAI({
      // The SDK insists on a key; hosts without authentication ignore this one.
      apiKey: options.apiKey ?? 'none',
      baseURL: options.baseUrl ?? null,
      maxRetries: 0,
      fetchOptions: { dispatcher: this.agent },
    });
  }

  override async *stream({ model, request, signal }: ProviderCall): AsyncGenerator<ProviderEvent> {
    try {
      const response = await this.client.chat.completions
        .create(
          { ...this.adapted(request), model, stream: true, stream_options: { include_usage: true } },
          { signal },
        )
        .asResponse();
      if (response.body === null)
        throw new ProviderError('broken_answer', 'The provider answered without a body.');
      yield* readChatStream(response.body);
    } catch (error) {
      throw toProviderError(error);
    }
  }

  override async models(signal: AbortSignal): Promise<readonly string[]> {
    try {
      const page = await this.client.models.list({ signal });
      return page.data.map((model) => model.id);
    } catch (error) {
      throw toProviderError(error);
    }
  }

  /** Only OpenAI itself knows `max_completion_tokens` for sure, and only the old name is known to every other host. */
  private adapted(request: ChatRequest): ChatRequest {
    const { max_completion_tokens: limit, ...adapted } = request;
    if (this.official || typeof limit !== 'number') return request;
    adapted.max_tokens = limit;
    return adapted;
  }

  override async close(): Promise<void> {
    await this.agent.destroy();
  }
}
