import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { Socket } from 'node:net';
import { setImmediate } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import {
  startFakeProvider,
  type FakeProvider,
} from '../../../../test/support/fake-provider/fake-provider.js';
import { gatedAnswer } from '../../../../test/support/fake-provider/gated-answer.js';
import type { Behavior } from '../../../../test/support/fake-provider/script.js';
import { ProviderError, type ProviderEvent } from '../../port/index.js';
import { OllamaProvider } from './ollama.provider.js';

let fake: FakeProvider;
let provider: OllamaProvider;

const providerAt = (baseUrl: string): OllamaProvider =>
  new OllamaProvider({ id: 'ollama', baseUrl, connectTimeoutMs: 1000 });

beforeAll(async () => {
  fake = await startFakeProvider();
  provider = providerAt(fake.origin);
});
afterEach(() => fake.reset());
afterAll(async () => {
  await provider.close();
  await fake.close();
});

const call = (signal = new AbortController().signal) => ({
  model: 'test-model',
  request: { messages: [{ role: 'user' as const, content: 'one two three' }] },
  signal,
});

/** Reads a stream to its end or error, and joins the text. */
async function outcomeOf(stream: AsyncIterable<ProviderEvent>): Promise<{ text: string; error: unknown }> {
  let text = '';
  try {
    for await (const event of stream) text += textOf(event);
    return { text, error: undefined };
  } catch (error) {
    return { text, error };
  }
}

const textOf = (event: ProviderEvent): string =>
  event.type === 'chunk' ? (event.chunk.choices[0]?.delta.content ?? '') : '';

const LAST_LINE = '{"message":{"role":"assistant","content":"Hi"},"done":true,"prompt_eval_count":1}\n';

/** A server that delays or omits the end of its answers. */
class LateServer {
  readonly connections: Socket[] = [];
  private readonly server: Server;

  constructor(options: { readonly padding: number; readonly endAfterMs: number | undefined }) {
    this.server = createServer((_request, response) => {
      response.write(`${' '.repeat(options.padding)}\n${LAST_LINE}`);
      if (options.endAfterMs !== undefined) setTimeout(() => response.end(), options.endAfterMs);
    });
    this.server.on('connection', (socket: Socket) => this.connections.push(socket));
  }

  async listen(): Promise<string> {
    this.server.listen(0, '127.0.0.1');
    await once(this.server, 'listening');
    const address = this.server.address();
    return `http://127.0.0.1:${typeof address === 'object' ? (address?.port ?? 0) : 0}`;
  }

  close(): void {
    this.server.close();
    for (const socket of this.connections) socket.destroy();
  }
}

describe('aborting', () => {
  it.each<[string, Behavior]>([
    ['the headers', { kind: 'silence' }],
    ['the first token', { kind: 'silence', afterHeaders: true }],
    ['the end of an error', gatedAnswer([], { holdHeaders: true })],
  ])('before %s closes the socket', async (_name, behavior) => {
    fake.script(behavior);
    const leaving = new AbortController();
    const arriving = fake.nextRequest('chat');
    const reading = outcomeOf(provider.stream(call(leaving.signal)));
    const request = await arriving;
    leaving.abort();
    expect((await reading).error).toBeInstanceOf(ProviderError);
    expect((await request.closed).by).toBe('client');
  });

  it('after the first token closes the socket', async () => {
    const gate = gatedAnswer(['one', 'two']);
    gate.release();
    fake.script(gate);
    const leaving = new AbortController();
    const arriving = fake.nextRequest('chat');
    const texts: string[] = [];
    await expect(
      (async () => {
        for await (const event of provider.stream(call(leaving.signal))) {
          if (textOf(event) !== '') {
            texts.push(textOf(event));
            leaving.abort();
          }
        }
      })(),
    ).rejects.toMatchObject({ kind: 'broken_answer' });
    expect(texts).toEqual(['one']);
    expect((await (await arriving).closed).by).toBe('client');
  });

  it('is not necessary if the consumer stops reading', async () => {
    const gate = gatedAnswer(['one', 'two']);
    gate.release();
    fake.script(gate);
    const arriving = fake.nextRequest('chat');
    for await (const event of provider.stream(call())) {
      if (textOf(event) !== '') break;
    }
    expect((await (await arriving).closed).by).toBe('client');
  });

  it('before the call sends no request', async () => {
    expect((await outcomeOf(provider.stream(call(AbortSignal.abort())))).error).toBeInstanceOf(ProviderError);
    expect(fake.requests).toHaveLength(0);
  });
});

describe('connections', () => {
  it('are reused by the next call, after short answers and long ones', async () => {
    const own = await startFakeProvider();
    const client = providerAt(own.origin);
    own.script(
      { kind: 'answer' },
      { kind: 'answer', text: 'x'.repeat(300_000) },
      { kind: 'error', status: 500 },
    );
    for (let count = 0; count < 5; count += 1) {
      await outcomeOf(client.stream(call()));
      // undici checks for one turn of the event loop if the server closes a connection before it reuses it.
      await setImmediate();
    }
    expect(own.openConnections).toBe(1);
    await client.listModels(AbortSignal.timeout(5000));
    expect(own.openConnections).toBe(1);
    await client.close();
    await own.close();
  });

  it('are reused if the end of a long answer is slightly delayed', async () => {
    const server = new LateServer({ padding: 200_000, endAfterMs: 20 });
    const client = providerAt(await server.listen());
    for (let count = 0; count < 3; count += 1) {
      expect(await outcomeOf(client.stream(call()))).toEqual({ text: 'Hi', error: undefined });
      await setImmediate();
    }
    expect(server.connections.length).toBe(1);
    await client.close();
    server.close();
  });

  it('are closed if the server does not end its answer', async () => {
    const server = new LateServer({ padding: 0, endAfterMs: undefined });
    const client = providerAt(await server.listen());
    expect(await outcomeOf(client.stream(call()))).toEqual({ text: 'Hi', error: undefined });
    const [socket] = server.connections;
    if (socket?.closed === false) await once(socket, 'close');
    expect(socket?.closed).toBe(true);
    await client.close();
    server.close();
  });
});
