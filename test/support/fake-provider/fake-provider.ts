import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { text } from 'node:stream/consumers';

import { composeAnswer } from './answer.js';
import { anthropicProtocol } from './anthropic-protocol.js';
import { ollamaGenerateProtocol, ollamaProtocol } from './ollama-protocol.js';
import { openaiProtocol } from './openai-protocol.js';
import { contentOf, play, type GoodReply } from './playback.js';
import { RequestLog, type RecordedRequest } from './recorded-request.js';
import { Reply } from './reply.js';
import type { Behavior, Failure } from './script.js';
import { sendJson, type Stage } from './stage.js';
import { parseJson } from './unknown-value.js';
import type { Route, ProviderProtocol } from './provider-protocol.js';

/** Options of {@link startFakeProvider}. */
export interface FakeProviderOptions {
  /** Requests without this key are refused. By default every request is accepted. */
  apiKey?: string;
  /** The ids in the model list. Default: `test-model`. */
  models?: readonly string[];
}

/** The served protocols, chosen by path; errors for other paths have the first one's format. */
const PROTOCOLS: readonly [ProviderProtocol, ...ProviderProtocol[]] = [
  openaiProtocol,
  anthropicProtocol,
  ollamaProtocol,
  ollamaGenerateProtocol,
];

const GOOD_ANSWER: Behavior = { kind: 'answer' };
const DEFAULT_MODELS: readonly string[] = ['test-model'];
const DEFAULT_DIMENSIONS = 8;

/** A model provider on a real socket with behavior scripted by a test. */
export class FakeProvider {
  /** The ids in the model list; chat accepts any name. */
  models: readonly string[];
  /** Default length of embeddings. */
  embeddingDimensions = DEFAULT_DIMENSIONS;
  readonly #apiKey: string | undefined;
  readonly #ownModels: readonly string[];
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #log = new RequestLog();
  readonly #scripts: Record<Route, Behavior[]> = { chat: [], models: [], embeddings: [] };
  readonly #exchanges = new Map<Reply, Promise<void>>();
  #default = GOOD_ANSWER;
  #count = 0;

  constructor({ apiKey, models = DEFAULT_MODELS }: FakeProviderOptions = {}) {
    this.#apiKey = apiKey;
    this.#ownModels = models;
    this.models = models;
    this.#server = createServer((request, response) => {
      this.#accept(request, response);
    });
    // Idle connections stay open: one that closes just as a client reuses it would make a test fail
    // occasionally.
    this.#server.keepAliveTimeout = 0;
    this.#server.on('connection', (socket: Socket) => {
      this.#sockets.add(socket);
      socket.once('close', () => this.#sockets.delete(socket));
    });
  }

  /** `http://127.0.0.1:<port>`. */
  get origin(): string {
    const address = this.#server.address();
    if (address === null || typeof address === 'string') throw new Error('The provider does not listen.');
    return `http://127.0.0.1:${String(address.port)}`;
  }

  /** The base URL for an OpenAI client. */
  get baseUrl(): string {
    return `${this.origin}/v1`;
  }

  /** The base URL for an Anthropic client, which adds `/v1` itself. */
  get anthropicBaseUrl(): string {
    return this.origin;
  }

  /** All requests since the start or the last reset, including refused ones. */
  get requests(): readonly RecordedRequest[] {
    return this.#log.all;
  }

  /** Number of sockets that are currently open. */
  get openConnections(): number {
    return this.#sockets.size;
  }

  /** Queues behaviors for the next chat requests, one for each. */
  script(...behaviors: Behavior[]): void {
    this.scriptFor('chat', ...behaviors);
  }

  /** Queues behaviors for the requests of one route. */
  scriptFor(route: Route, ...behaviors: Behavior[]): void {
    this.#scripts[route].push(...behaviors);
  }

  /** Drops the queued behaviors for the requests of one route. */
  clearScript(route: Route): void {
    this.#scripts[route].length = 0;
  }

  /** Sets the behavior for chat requests when the queue is empty. */
  setDefault(behavior: Behavior): void {
    this.#default = behavior;
  }

  /**
   * Waits for the next request, on one route or on any; concurrent waiters get one request each, in order.
   * Rejects on reset and close.
   */
  async nextRequest(route?: Route): Promise<RecordedRequest> {
    return this.#log.next(route);
  }

  /** Restores the state after the start: aborts running exchanges and clears scripts and requests. */
  reset(): void {
    for (const reply of this.#exchanges.keys()) reply.destroy();
    for (const queue of Object.values(this.#scripts)) queue.length = 0;
    this.#default = GOOD_ANSWER;
    this.models = this.#ownModels;
    this.embeddingDimensions = DEFAULT_DIMENSIONS;
    this.#log.clear();
  }

  /** Stops listening, destroys all sockets and waits until everything has ended. */
  async close(): Promise<void> {
    if (!this.#server.listening) return;
    const closed = once(this.#server, 'close');
    this.#server.close();
    this.reset();
    for (const socket of this.#sockets) socket.destroy();
    await closed;
    await Promise.all(this.#exchanges.values());
  }

  /** Binds a free port on the loopback address. */
  async listen(): Promise<void> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
  }

  #accept(request: IncomingMessage, response: ServerResponse): void {
    const reply = new Reply(response);
    const exchange = this.#serve(request, reply)
      .catch((error: unknown) => {
        if (reply.signal.aborted) return;
        // A bug in the provider itself must be visible in the test that caused it.
        console.error('fake provider:', error);
        reply.destroy();
      })
      .finally(() => this.#exchanges.delete(reply));
    this.#exchanges.set(reply, exchange);
  }

  async #serve(request: IncomingMessage, reply: Reply): Promise<void> {
    const receivedAt = performance.now();
    const { method = '', url = '', headers } = request;
    const path = url.replace(/\?.*$/, '');
    const query = new URLSearchParams(url.slice(path.length));
    const protocol =
      PROTOCOLS.find((candidate) => candidate.route(method, path, headers) !== undefined) ?? PROTOCOLS[0];
    const route = protocol.route(method, path, headers);
    const rawBody = await text(request);
    const body = parseJson(rawBody);
    const { closed, firstByteSent } = reply;
    this.#log.add({ method, path: url, route, headers, body, rawBody, receivedAt, closed, firstByteSent });

    this.#count += 1;
    const stage: Stage = { protocol, reply, requestId: `req_fake_${String(this.#count)}` };
    if (this.#apiKey !== undefined && !protocol.authorized(headers, this.#apiKey)) {
      return refuse({ status: 401 }, stage);
    }
    if (route === undefined) {
      const message = `Unknown request URL: ${method} ${path}.`;
      return refuse({ status: 404, code: 'unknown_url', message }, stage);
    }
    const fallback = route === 'chat' ? this.#default : GOOD_ANSWER;
    const behavior = this.#scripts[route].shift() ?? fallback;
    const good = this.#goodReply({ protocol, route, path, query, body, behavior });
    if (good === undefined) return refuse({ status: 400, message: 'The body is not a chat request.' }, stage);
    return play(behavior, good, stage);
  }

  #goodReply({ protocol, route, path, query, body, behavior }: GoodReplyInput): GoodReply | undefined {
    if (route !== 'chat') return { kind: 'json', reply: protocol.lookUp(route, path, body, this, query) };
    const request = protocol.readChat(body);
    if (request === undefined) return undefined;
    const answer = composeAnswer(contentOf(behavior), request, `fake-${String(this.#count)}`);
    return request.stream
      ? { kind: 'stream', frames: protocol.frames(answer) }
      : { kind: 'json', reply: { status: 200, body: protocol.body(answer) } };
  }
}

interface GoodReplyInput {
  protocol: ProviderProtocol;
  route: Route;
  path: string;
  query: URLSearchParams;
  body: unknown;
  behavior: Behavior;
}

async function refuse(failure: Failure & { status: number }, stage: Stage): Promise<void> {
  await sendJson({ status: failure.status, body: stage.protocol.errorBody(failure) }, stage);
}

/** Starts a provider on a free port of 127.0.0.1. */
export async function startFakeProvider(options: FakeProviderOptions = {}): Promise<FakeProvider> {
  const provider = new FakeProvider(options);
  await provider.listen();
  return provider;
}
