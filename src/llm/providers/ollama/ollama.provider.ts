import { type Agent, request as send } from 'undici';
import { newId } from '../../../common/ids.js';
import {
  type ChatRequest,
  CompletionAssembler,
  type EmbeddingCall,
  type EmbeddingResult,
  type ListModelsCall,
  type ListedModel,
  type MediaKind,
  ModelProvider,
  parseReply,
  type ProviderCall,
  type ProviderEvent,
  type CapabilityQuery,
  type CompleteAnswer,
} from '../../port/index.js';
import { createAgent } from '../../transport/agent.js';
import { ACCEPT_ENCODING } from '../../transport/content-coding.js';
import { ResponseBody } from '../../transport/response-body.js';
import { AdjustedStreams } from '../../transport/adjusted-streams.js';
import { type OllamaAnswerMetadata, OllamaAnswerReader } from './ollama-answer-reader.js';
import { OllamaStreamReader } from './ollama-stream-reader.js';
import { readOllamaEmbeddings, readModelNames, readImageSupport, textsOf } from './ollama-catalog.js';
import { toBrokenAnswerError, toUnreachableError, toProviderErrorOfStatus } from './ollama-errors.js';
import { toOllamaRequest } from './to-ollama-request.js';

/** Maximum wait for the end of a body after the answer's last line, in milliseconds. */
const DRAIN_MS = 250;

const CHAT_PATH = '/api/chat';
const TAGS_PATH = '/api/tags';

export interface OllamaProviderOptions {
  readonly id: string;
  /** URL without `/api`, such as `http://127.0.0.1:11434`. */
  readonly baseUrl: string;
  /** For servers behind a proxy that requires one, and for Ollama's own hosted models. */
  readonly apiKey?: string | undefined;
  /** Timeout for connecting, in milliseconds. */
  readonly connectTimeoutMs: number;
}

/**
 * An Ollama server, used with its native protocol, which exposes more of its models than its OpenAI-compatible
 * one.
 */
export class OllamaProvider extends ModelProvider {
  override readonly id: string;
  override readonly protocol = 'ollama';
  private readonly baseUrl: string;
  private readonly headers: Record<string, string>;
  private readonly agent: Agent;
  private readonly streams = new AdjustedStreams();

  constructor({ id, baseUrl, apiKey, connectTimeoutMs }: OllamaProviderOptions) {
    super();
    this.id = id;
    this.baseUrl = baseUrl.endsWith('/') ? baseUrl.slice(0, -1) : baseUrl;
    this.headers = apiKey === undefined ? {} : { authorization: `Bearer ${apiKey}` };
    this.agent = createAgent({ connectTimeoutMs });
  }

  override async *stream(call: ProviderCall): AsyncGenerator<ProviderEvent> {
    const { model, request, native, ownChoices = [] } = call;
    if (native) {
      yield* this.read(call, native.path, { ...native.body, model, stream: true });
      return;
    }
    yield* this.streams.stream(model, ({ withoutTemperature }) => {
      const chosen = ownChoices.includes('temperature');
      const body = toOllamaRequest(model, chosen && withoutTemperature ? withoutDefault(request) : request);
      return { ownTemperature: chosen && !withoutTemperature, send: () => this.read(call, CHAT_PATH, body) };
    });
  }

  override async complete(call: ProviderCall): Promise<CompleteAnswer> {
    const { model, native, signal, apiKey } = call;
    if (native === undefined) return super.complete(call);
    const raw = await this.askText(native.path, signal, { ...native.body, model, stream: false }, apiKey);
    const reader = new OllamaAnswerReader(newMetadata(model));
    const assembler = new CompletionAssembler();
    for (const event of reader.read(raw)) if (event.type === 'chunk') assembler.add(event.chunk);
    reader.end();
    return { completion: assembler.completion(), raw };
  }

  override async embed({
    model,
    input,
    dimensions,
    signal,
    apiKey,
  }: EmbeddingCall): Promise<EmbeddingResult> {
    const texts = textsOf(input);
    // Without `truncate: false`, a text that is too long would be cut, and its vector would represent only its
    // beginning.
    const answer = await this.askJson(
      '/api/embed',
      signal,
      { model, input: texts, truncate: false, dimensions },
      apiKey,
    );
    return readOllamaEmbeddings(answer, texts.length);
  }

  override async listModels(signal: AbortSignal): Promise<readonly ListedModel[]> {
    const names = readModelNames(await this.askJson(TAGS_PATH, signal));
    return names.map((id) => ({ id }));
  }

  /** Ollama's protocol has a field for images, and none for PDFs. */
  override async supportsMedia(
    kind: MediaKind,
    { model, signal, apiKey }: CapabilityQuery,
  ): Promise<boolean | undefined> {
    if (kind === 'pdf') return false;
    return readImageSupport(await this.askJson('/api/show', signal, { model }, apiKey));
  }

  /** Ollama's models support three efforts; `toOllamaRequest` picks the closest. */
  override droppedParameters({ reasoning_effort: asked }: ChatRequest): readonly string[] {
    return asked === 'minimal' || asked === 'xhigh' || asked === 'max' ? ['reasoning_effort'] : [];
  }

  override async listNativeModels({ signal, apiKey }: ListModelsCall): Promise<string> {
    const text = await this.askText(TAGS_PATH, signal, undefined, apiKey);
    readModelNames(parseReply(text));
    return text;
  }

  override async close(): Promise<void> {
    await this.agent.destroy();
  }

  /** Sends a request and reads the stream of its answer. */
  private async *read(
    { model, native, signal, apiKey }: ProviderCall,
    path: string,
    payload: object,
  ): AsyncGenerator<ProviderEvent> {
    const body = await this.ask(path, signal, payload, apiKey);
    const reader = new OllamaStreamReader(newMetadata(model), { relays: native !== undefined });
    try {
      for await (const piece of body.bytes()) {
        yield* reader.push(piece);
        if (reader.done) break;
      }
      yield* reader.end();
    } catch (error) {
      throw toBrokenAnswerError(error);
    } finally {
      if (reader.done) await body.finish(DRAIN_MS);
      else body.abandon();
    }
  }

  private async askJson(
    path: string,
    signal: AbortSignal,
    payload?: object,
    apiKey?: string,
  ): Promise<unknown> {
    return parseReply(await this.askText(path, signal, payload, apiKey));
  }

  private async askText(
    path: string,
    signal: AbortSignal,
    payload?: object,
    apiKey?: string,
  ): Promise<string> {
    const body = await this.ask(path, signal, payload, apiKey);
    return body.text().catch((error: unknown) => {
      throw toBrokenAnswerError(error);
    });
  }

  /**
   * Sends a request and returns the body of a successful response. A payload is sent with POST; without one the
   * method is GET.
   */
  private async ask(
    path: string,
    signal: AbortSignal,
    payload?: object,
    apiKey?: string,
  ): Promise<ResponseBody> {
    const own = apiKey === undefined ? this.headers : { authorization: `Bearer ${apiKey}` };
    const headers = { ...ACCEPT_ENCODING, ...own };
    const response = await send(this.baseUrl + path, {
      dispatcher: this.agent,
      signal,
      ...(payload === undefined
        ? { method: 'GET', headers }
        : {
            method: 'POST',
            headers: { ...headers, 'content-type': 'application/json' },
            body: JSON.stringify(payload),
          }),
    }).catch((error: unknown) => {
      throw toUnreachableError(error);
    });
    const { statusCode: status } = response;
    const body = new ResponseBody(response);
    if (status >= 200 && status < 300) return body;
    throw toProviderErrorOfStatus({
      status,
      headers: response.headers,
      text: await body.text().catch(() => ''),
    });
  }
}

/** Returns a request without its default temperature. */
function withoutDefault({ temperature: _default, ...request }: ChatRequest): ChatRequest {
  return request;
}

function newMetadata(model: string): OllamaAnswerMetadata {
  return {
    id: `chatcmpl-${newId()}`,
    created: Math.floor(Date.now() / 1000),
    model,
    // Every provider accepts ids of up to 40 characters.
    newCallId: () => `call_${newId().replaceAll('-', '')}`,
  };
}
