import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { once } from 'node:events';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startApi, type TestApi } from '../../../../support/api.js';
import { at, collect, listAt, registerUser, textOf } from '../../../../support/client.js';

/** The provider's next response: the frames of a stream, or a failure. */
let answer: { readonly frames: readonly object[] } | { readonly status: number; readonly message: string };

const provider = createServer((request, response) => {
  request.resume();
  if (request.url === '/v1/models') {
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify({ object: 'list', data: [{ id: 'odd', object: 'model' }] }));
  } else if ('status' in answer) {
    response.statusCode = answer.status;
    response.setHeader('content-type', 'application/json');
    response.end(
      JSON.stringify({
        error: { message: answer.message, type: 'invalid_request_error', param: null, code: null },
      }),
    );
  } else {
    response.setHeader('content-type', 'text/event-stream');
    response.end(
      [...answer.frames.map((frame) => JSON.stringify(frame)), '[DONE]']
        .map((data) => `data: ${data}\n\n`)
        .join(''),
    );
  }
});

const chunk = (delta: object, finish_reason: string | null = null, index = 0): object => ({
  id: 'c',
  object: 'chat.completion.chunk',
  created: 1,
  model: 'odd',
  choices: [{ index, delta, finish_reason }],
});

describe('an answer with content that cannot be stored unchanged', () => {
  let api: TestApi;

  beforeAll(async () => {
    await once(provider.listen(0, '127.0.0.1'), 'listening');
    const { port } = provider.address() as AddressInfo;
    api = await startApi({ OPENAI_BASE_URL: `http://127.0.0.1:${port}/v1` });
  });

  afterAll(async () => {
    await api.close();
    provider.closeAllConnections();
    provider.close();
  });

  const cases: Record<string, { frames: object[]; text: string; usage?: object; finish?: string }> = {
    'NUL in the text': { frames: [chunk({ content: 'a\0b' }), chunk({ content: 'c' }, 'stop')], text: 'abc' },
    'NUL in the finish reason': { frames: [chunk({ content: 'abc' }), chunk({}, 'st\0op')], text: 'abc' },
    'an unknown finish reason': { frames: [chunk({ content: 'abc' }), chunk({}, 'eos')], text: 'abc' },
    'an impossible number of tokens': {
      frames: [
        chunk({ content: 'abc' }, 'stop'),
        {
          ...chunk({}),
          choices: [],
          usage: { prompt_tokens: 3_000_000_000, completion_tokens: 1, total_tokens: 1 },
        },
      ],
      text: 'abc',
    },
    'choices out of order': {
      frames: [
        {
          ...chunk({}),
          choices: [
            { index: 1, delta: { content: 'B' }, finish_reason: 'stop' },
            { index: 0, delta: { content: 'A' }, finish_reason: 'stop' },
          ],
        },
      ],
      text: 'A',
    },
  };

  it.each(Object.entries(cases))('is stored despite %s', async (_name, { frames, text }) => {
    const user = await registerUser(api.url);
    answer = { frames };
    const { status, body } = await user.request('POST', '/api/v1/chat', { message: 'x' });
    expect([status, at(body, 'message'), at(body, 'finish_reason')]).toEqual([200, text, 'stop']);
    const events = await collect(user.stream('/api/v1/chat/stream', { message: 'x' }));
    expect([textOf(events), events.at(-1)]).toEqual([text, '[DONE]']);
    const path = `/api/v1/conversations/${String(at(body, 'conversation_id'))}`;
    const [, stored] = listAt((await user.request('GET', `${path}/messages`)).body, 'data');
    expect([at(stored, 'content'), at(stored, 'status')]).toEqual([text, 'complete']);
    const used = at((await user.request('GET', path)).body, 'tokens_used');
    expect(used).toBe(at(stored, 'usage', 'total_tokens'));
    expect(used).toBeLessThan(100);
  });

  it('is still reported as a refusal if its reason contains NUL', async () => {
    const user = await registerUser(api.url);
    answer = { status: 400, message: 'no\0 way' };
    const { status, body } = await user.request('POST', '/api/v1/chat', { message: 'x' });
    expect([status, at(body, 'error', 'code'), at(body, 'error', 'message')]).toEqual([
      400,
      'provider_rejected',
      'no way',
    ]);
  });
});
