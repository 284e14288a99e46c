import { once } from 'node:events';
import { createServer } from 'node:http';
import { expect, it } from '@jest/globals';
import { OpenAiProvider } from './openai.provider.js';

const DATA = [
  { object: 'embedding', index: 1, embedding: [0, 1] },
  { object: 'embedding', index: 0, embedding: [1, 0] },
];

it.each([
  ['its count', { prompt_tokens: 5 }, 5],
  ['no usage', undefined, undefined],
  ['null', null, undefined],
  ['a figure that is none', { prompt_tokens: -1.5 }, undefined],
])(
  'OpenAiProvider returns vectors in the order of the input from a host that reports %s',
  async (_what, usage, inputTokens) => {
    const server = createServer((_request, response) => {
      response.setHeader('content-type', 'application/json');
      response.end(JSON.stringify({ object: 'list', data: DATA, model: 'm', usage }));
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    const port = typeof address === 'object' ? address?.port : undefined;
    const provider = new OpenAiProvider({
      id: 'host',
      baseUrl: `http://127.0.0.1:${String(port)}/v1`,
      apiKey: undefined,
      connectTimeoutMs: 1000,
    });
    try {
      const call = { model: 'm', input: ['a', 'b'], dimensions: undefined };
      const result = await provider.embed({ ...call, signal: new AbortController().signal });
      expect(result).toEqual({
        vectors: [
          [1, 0],
          [0, 1],
        ],
        inputTokens,
      });
    } finally {
      await provider.close();
      server.close();
    }
  },
);
