// Any reply of a host must end as an answer or as one of our failures: a JavaScript error would be reported
// as a bug in our code. Every kind of request to a host has its own check of the answer here, and every
// generated reply is read by all of them.
import { once } from 'node:events';
import { createServer } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import {
  type ChatChunk,
  isErrorReport,
  type ModelProvider,
  type ProviderCall,
  ProviderError,
  type ProviderEvent,
} from '../port/index.js';
import { AnthropicProvider } from './anthropic/anthropic.provider.js';
import { OllamaProvider } from './ollama/ollama.provider.js';
import { OpenAiProvider } from './openai/openai.provider.js';

let reply: Buffer = Buffer.alloc(0);
const server = createServer((request, response) => {
  request.resume();
  response.end(reply);
});
let providers: readonly ModelProvider[] = [];

beforeAll(async () => {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('The host does not listen.');
  const baseUrl = `http://127.0.0.1:${address.port}`;
  const options = { baseUrl, apiKey: 'placeholder', connectTimeoutMs: 1000 };
  providers = [
    new OpenAiProvider({ id: 'openai', ...options }),
    new AnthropicProvider({ id: 'anthropic', ...options }),
    new OllamaProvider({ id: 'ollama', ...options }),
  ];
});

afterAll(async () => {
  await Promise.all(providers.map((provider) => provider.close()));
  server.closeAllConnections();
  server.close();
});

const signal = new AbortController().signal;
const call: ProviderCall = { model: 'm', request: { messages: [{ role: 'user', content: 'Hi' }] }, signal };
const relayed: ProviderCall = {
  ...call,
  native: {
    protocol: 'anthropic',
    path: '/v1/messages',
    body: { messages: [] },
    headers: {},
    nativeOnlyField: undefined,
  },
};

/** Every kind of request to a host. */
const READERS: Readonly<Record<string, (provider: ModelProvider) => Promise<unknown>>> = {
  stream: (provider) => Array.fromAsync(provider.stream(call)).then(checkEvents),
  'relayed stream': (provider) => Array.fromAsync(provider.stream(relayed)).then(checkEvents),
  whole: async (provider) => {
    checkWhole((await provider.complete(call)).completion);
  },
  'relayed whole': async (provider) => {
    checkWhole((await provider.complete(relayed)).completion);
  },
  embeddings: async (provider) => {
    if (provider.protocol === 'anthropic') return;
    const { vectors, inputTokens } = await provider.embed({
      model: 'm',
      input: ['x'],
      dimensions: undefined,
      signal,
    });
    expect(vectors.flat().every((number) => Number.isFinite(number))).toBe(true);
    expectCount(inputTokens);
  },
  models: async (provider) => {
    for (const { id, contextWindow } of await provider.listModels(signal)) {
      expect(typeof id).toBe('string');
      expectCount(contextWindow);
    }
  },
  'native models': async (provider) => {
    if (provider.protocol === 'ollama') JSON.parse(await provider.listNativeModels({ signal }));
  },
  'count of tokens': async (provider) => {
    expectCount(await provider.countTokens?.(relayed));
  },
  'what it can read': async (provider) => {
    expect([true, false, undefined]).toContain(
      await provider.supportsMedia?.('image', { model: 'm', signal }),
    );
  },
};

function expectCount(value: unknown): void {
  if (value !== undefined) expect(Number.isSafeInteger(value) && Number(value) >= 0).toBe(true);
}

function checkEvents(events: readonly ProviderEvent[]): void {
  for (const event of events) {
    if (event.type === 'chunk') checkChunk(event.chunk);
    if (event.type === 'relayed') event.chunks.forEach(checkChunk);
    if (event.type === 'usage') checkUsage(event.usage);
  }
}

function checkChunk({ choices, usage }: ChatChunk): void {
  checkUsage(usage);
  for (const { index, delta, finish_reason } of choices) {
    expectCount(index);
    for (const text of [delta.content, delta.refusal, finish_reason]) expectText(text);
    for (const one of delta.tool_calls ?? []) {
      expectCount(one.index);
      for (const text of [one.id, one.function?.name, one.function?.arguments]) expectText(text);
    }
  }
}

function checkWhole({ choices, usage }: Awaited<ReturnType<ModelProvider['complete']>>['completion']): void {
  checkUsage(usage);
  for (const { message, finish_reason } of choices) {
    for (const text of [message.content, message.refusal, finish_reason]) expectText(text);
    for (const one of message.tool_calls ?? []) {
      if (one.type !== 'function') continue;
      for (const text of [one.id, one.function.name, one.function.arguments])
        expect(typeof text).toBe('string');
    }
  }
}

function checkUsage(usage: ChatChunk['usage'] | undefined): void {
  if (!usage) return;
  for (const count of [usage.prompt_tokens, usage.completion_tokens, usage.total_tokens])
    expect(typeof count).toBe('number');
}

function expectText(value: unknown): void {
  expect(value === undefined || value === null || typeof value === 'string').toBe(true);
}

/** Makes every kind of request to every provider. Each must succeed or fail with one of our failures. */
async function askAll(bytes: Buffer): Promise<void> {
  reply = bytes;
  for (const provider of providers) {
    for (const [what, read] of Object.entries(READERS)) {
      const failure: unknown = await read(provider).then(
        () => undefined,
        (error: unknown) => error,
      );
      if (failure !== undefined && !(failure instanceof ProviderError))
        throw new Error(`${provider.protocol}, ${what}`, { cause: failure });
    }
  }
}

const maybe = (fields: Readonly<Record<string, fc.Arbitrary<unknown>>>) =>
  fc.record(fields, { requiredKeys: [] });
const any = fc.jsonValue({ maxDepth: 3 });
const block = fc.oneof(
  any,
  maybe({
    type: fc.constantFrom('text', 'thinking', 'tool_use', 'server_tool_use', 'new'),
    text: any,
    thinking: any,
    signature: any,
    id: any,
    name: any,
    input: any,
    citations: any,
  }),
);
const usage = fc.oneof(
  any,
  maybe({ input_tokens: any, output_tokens: any, cache_read_input_tokens: any, output_tokens_details: any }),
);
const message = fc.oneof(
  any,
  maybe({
    id: any,
    model: any,
    content: fc.oneof(any, fc.array(block)),
    thinking: any,
    tool_calls: fc.oneof(
      any,
      fc.array(
        maybe({
          id: any,
          function: fc.oneof(any, maybe({ name: fc.oneof(any, fc.constant('f')), arguments: any })),
        }),
      ),
    ),
    usage,
    stop_reason: any,
  }),
);
/** One event or line in the format of Anthropic or Ollama, with an arbitrary value in each field. */
const event = fc.oneof(
  any,
  maybe({
    type: fc.constantFrom(
      'message_start',
      'content_block_start',
      'content_block_delta',
      'content_block_stop',
      'message_delta',
      'message_stop',
    ),
    index: fc.oneof(any, fc.constant(0)),
    message,
    content_block: block,
    delta: fc.oneof(
      any,
      maybe({
        type: fc.constantFrom(
          'text_delta',
          'thinking_delta',
          'input_json_delta',
          'signature_delta',
          'citations_delta',
        ),
        text: any,
        thinking: any,
        partial_json: any,
        signature: any,
        citation: any,
        stop_reason: fc.oneof(any, fc.constant('end_turn')),
        stop_details: any,
      }),
    ),
    usage,
  }),
  maybe({
    message,
    response: any,
    thinking: any,
    done: fc.boolean(),
    done_reason: any,
    prompt_eval_count: any,
    eval_count: any,
    error: any,
  }),
  maybe({
    data: fc.oneof(any, fc.array(maybe({ id: any, max_input_tokens: any, embedding: any }))),
    models: fc.oneof(any, fc.array(maybe({ name: any }))),
    embeddings: any,
    capabilities: any,
    input_tokens: any,
    has_more: any,
    last_id: any,
  }),
  maybe({ type: fc.constant('message'), content: fc.array(block), stop_reason: any, usage }),
);
const RUNS = { numRuns: 20 };

describe('every provider returns an answer or a failure of its host', () => {
  it('for arbitrary JSON', async () => {
    await fc.assert(
      fc.asyncProperty(event, (value) => askAll(Buffer.from(JSON.stringify(value)))),
      RUNS,
    );
  });

  it('for arbitrary lines of JSON', async () => {
    const text = (values: readonly unknown[]) => values.map((value) => `${JSON.stringify(value)}\n`).join('');
    await fc.assert(
      fc.asyncProperty(fc.array(event), (values) => askAll(Buffer.from(text(values)))),
      RUNS,
    );
  });

  it('for arbitrary events', async () => {
    const text = (values: readonly unknown[]) =>
      values.map((value) => `data: ${JSON.stringify(value)}\n\n`).join('');
    await fc.assert(
      fc.asyncProperty(fc.array(event), (values) => askAll(Buffer.from(text(values)))),
      RUNS,
    );
  });

  it('for arbitrary bytes', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), (bytes) => askAll(Buffer.from(bytes))),
      RUNS,
    );
  });

  it('for an event and a line that exceed the buffer', async () => {
    await askAll(Buffer.from(`data: ${'x'.repeat(17 * 1024 * 1024)}`));
  });
});

describe('a reply that cannot be parsed', () => {
  it.each([
    ['a page of markup', '<html><body>Sign in</body></html>'],
    ['a sentence', 'Service is up.'],
    ['null', 'null'],
    ['a list', '[]'],
    ['a text', '"Hello"'],
    ['a number', '42'],
    ['another object', '{"ok":true}'],
    ['events that are none of an answer', 'data: {"ok":true}\n\ndata: 7\n\n'],
    ['events that are not JSON', 'data: Hello\n\n'],
  ])('is not requested again if it is %s', async (_what, text) => {
    reply = Buffer.from(text);
    for (const provider of providers) {
      for (const what of ['stream', 'whole', 'relayed whole', 'embeddings', 'native models'] as const) {
        const failure: unknown = await READERS[what]?.(provider).then(
          () => undefined,
          (error: unknown) => error,
        );
        const asked = !(what === 'embeddings' && provider.protocol === 'anthropic');
        if (asked && (what !== 'native models' || provider.protocol === 'ollama'))
          expect([provider.protocol, what, failure]).toMatchObject([
            provider.protocol,
            what,
            { kind: 'unreadable_answer' },
          ]);
      }
    }
  });

  it.each([
    ['nothing', ''],
    ['half of an object', '{"type":"message","content":[{"type":"te'],
  ])('may be requested again if it is %s', async (_what, text) => {
    reply = Buffer.from(text);
    for (const provider of providers) {
      for (const what of ['stream', 'whole', 'relayed whole'] as const)
        await expect(READERS[what]?.(provider)).rejects.toMatchObject({ kind: 'broken_answer' });
    }
  });

  it('is distinguished from an error report with a success status', async () => {
    const report = {
      error: { message: 'prompt is too long: 9 tokens > 8 maximum', type: 'invalid_request_error' },
    };
    expect(isErrorReport(report)).toBe(true);
    reply = Buffer.from(JSON.stringify(report));
    for (const provider of providers) {
      for (const what of ['stream', 'whole', 'relayed whole'] as const)
        await expect(READERS[what]?.(provider)).rejects.toMatchObject({ kind: 'context_length_exceeded' });
    }
  });
});
