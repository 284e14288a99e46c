// Real components: the API on a socket, PostgreSQL, and the providers' protocols; the test scripts the
// model's tool calls. Most cases follow one tool call through its life: generated, stored, answered, sent
// again and regenerated.
import { randomUUID } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { beginStream, idsIn, named, nextEvent, rejoin, stop } from '../../../../support/answers.js';
import {
  at,
  collect,
  listAt,
  registerUser,
  type ApiResponse,
  type TestUser,
} from '../../../../support/client.js';
import { gatedAnswer } from '../../../../support/fake-provider/gated-answer.js';
import { setUpApi, setUpProvider } from '../../../../support/set-up.js';
import { expectSettled, query, stored, until, untilSettled } from '../../../../support/stored.js';

const WEATHER = {
  type: 'function',
  function: {
    name: 'get_weather',
    description: 'The weather of a city.',
    parameters: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] },
  },
};
const TOOLS = { tools: [WEATHER] };

const OSLO = { id: 'call_oslo', name: 'get_weather', arguments: '{"city":"Oslo"}' };
const HANOI = { id: 'call_hanoi', name: 'get_weather', arguments: '{"city":"Hà Nội"}' };

/** A tool call in the API format of clients and providers. */
const toOpenAiCall = ({ id, name, arguments: text }: typeof OSLO) => ({
  id,
  type: 'function',
  function: { name, arguments: text },
});

const provider = setUpProvider();
const api = setUpApi(() => ({
  OPENAI_BASE_URL: provider.baseUrl,
  ANTHROPIC_BASE_URL: provider.origin,
  ANTHROPIC_API_KEY: 'sk-ant-placeholder',
  OLLAMA_BASE_URL: provider.origin,
  DEFAULT_MODEL: 'openai/test-model',
  LLM_MAX_RETRIES: '0',
}));

/** Runs a turn whose answer calls tools. */
async function callTools(
  user: TestUser,
  calls: readonly (typeof OSLO)[] = [OSLO],
  more: object = {},
): Promise<{ readonly conversationId: string; readonly messageId: string; readonly answer: ApiResponse }> {
  provider.script({ kind: 'answer', toolCalls: calls });
  const answer = await user.request('POST', '/api/v1/chat', { message: 'How is it?', ...TOOLS, ...more });
  expect(answer.status).toBe(200);
  return { ...idsIn(answer.body), answer };
}

function results(
  user: TestUser,
  messageId: string,
  given: readonly (readonly [id: string, content: string])[],
  more: object = {},
): Promise<ApiResponse> {
  const tool_results = given.map(([tool_call_id, content]) => ({ tool_call_id, content }));
  return user.request('POST', `/api/v1/chat/${messageId}/tool-results`, { tool_results, ...more });
}

async function messagesOf(user: TestUser, conversationId: string): Promise<unknown[]> {
  const { body } = await user.request('GET', `/api/v1/conversations/${conversationId}/messages?limit=100`);
  return listAt(body, 'data');
}

/** Assembles the tool calls of a stream's events as clients assemble OpenAI's chunks. */
function callsIn(events: readonly unknown[]): unknown[] {
  const calls: { id: unknown; type: unknown; function: { name: unknown; arguments: string } }[] = [];
  for (const event of events) {
    if (at(event, 'restart') === true) calls.length = 0;
    const deltas: unknown = at(event, 'tool_calls');
    for (const delta of Array.isArray(deltas) ? (deltas as unknown[]) : []) {
      const index = Number(at(delta, 'index'));
      const name = at(delta, 'function', 'name');
      if (name !== undefined) {
        calls[index] = {
          id: at(delta, 'id'),
          type: at(delta, 'type'),
          function: { name, arguments: '' },
        };
      }
      const call = calls[index];
      if (call !== undefined) call.function.arguments += String(at(delta, 'function', 'arguments'));
    }
  }
  return calls;
}

describe('an answer that calls tools', () => {
  it('returns its calls and stores them', async () => {
    const user = await registerUser(api.url);
    const asked = provider.nextRequest('chat');
    const { conversationId, messageId, answer } = await callTools(user, [OSLO, HANOI]);
    expect((await asked).body).toMatchObject(TOOLS);
    expect(answer.body).toMatchObject({
      message: '',
      tool_calls: [toOpenAiCall(OSLO), toOpenAiCall(HANOI)],
      finish_reason: 'tool_calls',
    });
    const [, message] = await messagesOf(user, conversationId);
    expect(message).toMatchObject({
      id: messageId,
      role: 'assistant',
      status: 'complete',
      tool_calls: [toOpenAiCall(OSLO), toOpenAiCall(HANOI)],
    });
    expectSettled(await stored(api.database, conversationId));
  });

  it('streams its calls piece by piece after its text, and can be resumed after each event', async () => {
    const user = await registerUser(api.url);
    const gate = gatedAnswer(['Let me ', 'see.'], {
      toolCalls: [
        { ...OSLO, arguments: ['{"city"', ':"Oslo"}'] },
        { ...HANOI, arguments: ['{"city":"H', 'à Nội"}'] },
      ],
    });
    provider.script(gate);
    const { messageId, first, events } = await beginStream(provider, user, TOOLS);
    const seen = [first];
    for (let count = 0; count < 6; count += 1) {
      gate.release();
      seen.push(await nextEvent(events));
    }
    // The rest of the stream, resumed while it runs.
    const rejoined = rejoin(api.url, user, messageId, seen.at(-1)?.id);
    gate.finish();
    for await (const event of events) seen.push(event);
    const whole = [toOpenAiCall(OSLO), toOpenAiCall(HANOI)];
    const data = seen.map((event) => event.data);
    expect(callsIn(data)).toEqual(whole);
    expect(data.map((event) => at(event, 'delta')).join('')).toBe('Let me see.');
    expect(seen.at(-2)?.data).toMatchObject({ finished: true, finish_reason: 'tool_calls' });
    const late = await collect(rejoined);
    expect(callsIn([...data.slice(0, 7), ...late.slice(1)])).toEqual(whole);
    // The stream is then resumed from the row, after each of its events.
    for (const [index, event] of seen.entries()) {
      if (event.id === undefined) continue;
      const again = await collect(rejoin(api.url, user, messageId, event.id));
      expect({ id: event.id, calls: callsIn([...data.slice(0, index + 1), ...again.slice(1)]) }).toEqual({
        id: event.id,
        calls: whole,
      });
    }
  });

  it('is restarted with its calls at the end if the model returns to an earlier call', async () => {
    const user = await registerUser(api.url);
    const chunk = (delta: object, finish_reason: string | null = null) =>
      `data: ${JSON.stringify({ id: 'c', object: 'chat.completion.chunk', created: 1, model: 'm', choices: [{ index: 0, delta, finish_reason }] })}\n\n`;
    const call = (index: number, text: string, id?: string) => ({
      tool_calls: [
        {
          index,
          ...(id !== undefined && { id, type: 'function' }),
          function: { ...(id !== undefined && { name: 'get_weather' }), arguments: text },
        },
      ],
    });
    provider.script({
      kind: 'verbatim',
      body: [
        chunk({ role: 'assistant', content: 'Well, ' }),
        chunk(call(0, '{"city"', OSLO.id)),
        chunk(call(1, '{"city"', HANOI.id)),
        chunk(call(0, ':"Oslo"}')),
        chunk(call(1, ':"Hà Nội"}')),
        chunk({}, 'tool_calls'),
        'data: [DONE]\n\n',
      ].join(''),
    });
    const events = await collect(user.stream('/api/v1/chat/stream', { message: 'hi', ...TOOLS }));
    expect(callsIn(events)).toEqual([toOpenAiCall(OSLO), toOpenAiCall(HANOI)]);
    const { conversationId } = idsIn(events[0]);
    const [, message] = await messagesOf(user, conversationId);
    expect(message).toMatchObject({
      content: 'Well, ',
      tool_calls: [toOpenAiCall(OSLO), toOpenAiCall(HANOI)],
    });
  });

  it('stores the received part of a call when it is stopped, and refuses a result for it', async () => {
    const user = await registerUser(api.url);
    const gate = gatedAnswer([], { toolCalls: [{ ...OSLO, arguments: ['{"ci', 'ty":"Oslo"}'] }] });
    provider.script(gate);
    const { conversationId, messageId, events } = await beginStream(provider, user, TOOLS);
    gate.release();
    await nextEvent(events);
    const stopped = await stop(user, messageId);
    expect(stopped.body).toMatchObject({
      status: 'interrupted',
      finish_reason: 'stopped',
      tool_calls: [{ id: OSLO.id, function: { name: 'get_weather' } }],
    });
    await collect(events);
    const refused = await results(user, messageId, [[OSLO.id, '21']]);
    expect(refused).toMatchObject({ status: 400, body: { error: { param: 'tool_results' } } });
    // The next turn omits the call, because no provider accepts a call without its result.
    const asked = provider.nextRequest('chat');
    const next = { message: 'Never mind', conversation_id: conversationId };
    expect((await user.request('POST', '/api/v1/chat', next)).status).toBe(200);
    expect(JSON.stringify((await asked).body)).not.toContain(OSLO.id);
    expectSettled(await untilSettled(api.database, conversationId));
  });

  it('has its text and calls in the checkpoints', async () => {
    const user = await registerUser(api.url);
    const gate = gatedAnswer(['So: '], { toolCalls: [OSLO] });
    provider.script(gate);
    const { messageId, events } = await beginStream(provider, user, TOOLS);
    gate.releaseAll();
    const row = await until('a checkpoint with the call', async () => {
      const sql = 'SELECT content, tool_calls, status FROM messages WHERE id = $1';
      const [found] = await query(api.database, sql, [messageId]);
      return String(at(found?.['tool_calls'], 0, 'function', 'arguments')).endsWith('}') ? found : undefined;
    });
    expect(row).toMatchObject({ status: 'generating', content: 'So: ', tool_calls: [toOpenAiCall(OSLO)] });
    gate.finish();
    await collect(events);
  });
});

describe('tool results', () => {
  it.each(['openai', 'anthropic', 'ollama'] as const)(
    'reach the model in the %s API format',
    async (name) => {
      const user = await registerUser(api.url);
      const { conversationId, messageId, answer } = await callTools(user, [OSLO, HANOI], {
        model: `${name}/test-model`,
      });
      // Ollama assigns no ids to its calls, so the ids are generated here.
      const [oslo = '', hanoi = ''] = listAt(answer.body, 'tool_calls').map((call) => String(at(call, 'id')));
      const asked = provider.nextRequest();
      const second = await results(user, messageId, [
        [hanoi, 'wet'],
        [oslo, 'cold'],
      ]);
      expect(second).toMatchObject({ status: 200, body: { conversation_id: conversationId } });
      const { body } = await asked;
      const sent = JSON.stringify(body);
      for (const word of ['How is it?', 'get_weather', 'Oslo', 'Nội', 'cold', 'wet']) {
        expect(sent).toContain(word);
      }
      expect(sent.indexOf('cold')).toBeLessThan(sent.indexOf('wet'));
      if (name === 'openai') {
        expect(listAt(body, 'messages').slice(1)).toEqual([
          { role: 'assistant', content: null, tool_calls: [toOpenAiCall(OSLO), toOpenAiCall(HANOI)] },
          { role: 'tool', tool_call_id: OSLO.id, content: 'cold' },
          { role: 'tool', tool_call_id: HANOI.id, content: 'wet' },
        ]);
        expect(body).toMatchObject(TOOLS);
      }
      const messages = await messagesOf(user, conversationId);
      expect(messages.map((message) => at(message, 'role'))).toEqual([
        'user',
        'assistant',
        'tool',
        'tool',
        'assistant',
      ]);
      expect(messages[2]).toMatchObject({ content: 'cold', tool_call_id: oslo, status: 'complete' });
      expectSettled(await stored(api.database, conversationId));
    },
  );

  it('are sent as text to a later turn without tools, and as tool messages to one with tools', async () => {
    const user = await registerUser(api.url);
    const { conversationId, messageId } = await callTools(user);
    await results(user, messageId, [[OSLO.id, 'cold']]);
    const next = { message: 'Thanks', conversation_id: conversationId };
    const plain = provider.nextRequest('chat');
    await user.request('POST', '/api/v1/chat', next);
    const sent = listAt((await plain).body, 'messages');
    expect(sent.map((message) => at(message, 'role'))).not.toContain('tool');
    expect(JSON.stringify(sent)).not.toContain('"tool_calls"');
    expect(JSON.stringify(sent)).toContain('cold');
    const able = provider.nextRequest('chat');
    await user.request('POST', '/api/v1/chat', { ...next, ...TOOLS });
    expect(listAt((await able).body, 'messages').map((message) => at(message, 'role'))).toContain('tool');
  });

  it('may lead to more tool calls, and a forced call is not forced again', async () => {
    const user = await registerUser(api.url);
    const { messageId } = await callTools(user, [OSLO], { tool_choice: 'required' });
    provider.script({ kind: 'answer', toolCalls: [HANOI] });
    const asked = provider.nextRequest('chat');
    const second = await results(user, messageId, [[OSLO.id, 'cold']]);
    expect(at((await asked).body, 'tool_choice')).toBeUndefined();
    expect(second.body).toMatchObject({ finish_reason: 'tool_calls', tool_calls: [toOpenAiCall(HANOI)] });
    const third = await results(user, idsIn(second.body).messageId, [[HANOI.id, 'wet']], { stream: false });
    expect(third.body).toMatchObject({ finish_reason: 'stop' });
  });

  it('are sent again when their answer is regenerated', async () => {
    const user = await registerUser(api.url);
    const { conversationId, messageId } = await callTools(user);
    const { body } = await results(user, messageId, [[OSLO.id, 'cold']]);
    const path = `/api/v1/conversations/${conversationId}/messages/${idsIn(body).messageId}/regenerate`;
    const asked = provider.nextRequest('chat');
    expect((await user.request('POST', path, {})).status).toBe(200);
    expect((await asked).body).toMatchObject({
      ...TOOLS,
      messages: [{ role: 'user' }, { role: 'assistant' }, { role: 'tool', content: 'cold' }],
    });
  });

  it('are answered as a stream if requested, and run once per Idempotency-Key', async () => {
    const user = await registerUser(api.url);
    const { conversationId, messageId } = await callTools(user);
    const path = `/api/v1/chat/${messageId}/tool-results`;
    const key = randomUUID();
    const body = { tool_results: [{ tool_call_id: OSLO.id, content: 'cold' }] };
    const both = await Promise.all([1, 2].map(() => named(api.url, user, path, key, body)));
    expect(both.map(({ status }) => status)).toEqual([200, 200]);
    expect(idsIn(both[0]?.body)).toEqual(idsIn(both[1]?.body));
    const events = await collect(user.stream(path, { ...body, stream: true }));
    expect(events.at(-1)).toBe('[DONE]');
    expectSettled(await untilSettled(api.database, conversationId));
  });

  it.each([
    [
      'for an unknown call',
      [
        [OSLO.id, 'x'],
        ['call_other', 'y'],
      ],
      'call_other',
    ],
    ['an empty list', [], 'at least 1'],
    [
      'duplicates for one call',
      [
        [OSLO.id, 'x'],
        [OSLO.id, 'y'],
      ],
      'one result',
    ],
    ['for another call only', [['call_other', 'y']], 'missing'],
  ] as const)('are refused if they are %s, and nothing is stored', async (_what, given, says) => {
    const user = await registerUser(api.url);
    const { conversationId, messageId } = await callTools(user);
    const refused = await results(user, messageId, given);
    expect(refused).toMatchObject({ status: 400, body: { error: { code: 'invalid_request' } } });
    expect(String(at(refused.body, 'error', 'message'))).toContain(says);
    expect(await messagesOf(user, conversationId)).toHaveLength(2);
  });

  it('cannot be regenerated', async () => {
    const user = await registerUser(api.url);
    const { conversationId, messageId } = await callTools(user);
    await results(user, messageId, [[OSLO.id, 'cold']]);
    const result = (await messagesOf(user, conversationId)).find((message) => at(message, 'role') === 'tool');
    const path = `/api/v1/conversations/${conversationId}/messages/${String(at(result, 'id'))}/regenerate`;
    expect((await user.request('POST', path, {})).status).toBe(400);
  });

  it('are refused for an answer without tool calls, and answered with 404 for another account’s', async () => {
    const user = await registerUser(api.url);
    const { body } = await user.request('POST', '/api/v1/chat', { message: 'hi' });
    expect((await results(user, idsIn(body).messageId, [[OSLO.id, 'x']])).status).toBe(400);
    const { messageId } = await callTools(user);
    const stranger = await registerUser(api.url);
    expect((await results(stranger, messageId, [[OSLO.id, 'x']])).status).toBe(404);
  });
});

describe('tools in a request', () => {
  it.each([
    [
      'a name with a space',
      { tools: [{ type: 'function', function: { name: 'a b' } }] },
      'tools.0.function.name',
    ],
    ['an unsupported type', { tools: [{ type: 'web', function: { name: 'a' } }] }, 'tools.0.type'],
    [
      'NUL in a schema',
      { tools: [{ type: 'function', function: { name: 'a', parameters: { x: ['\0'] } } }] },
      'tools.0.function.parameters',
    ],
    [
      'a lone surrogate in a schema',
      { tools: [{ type: 'function', function: { name: 'a', parameters: { '\ud83d': 1 } } }] },
      'tools.0.function.parameters',
    ],
    [
      'a schema that is an array',
      { tools: [{ type: 'function', function: { name: 'a', parameters: [] } }] },
      'tools.0.function.parameters',
    ],
    ['an unknown tool_choice', { ...TOOLS, tool_choice: 'maybe' }, 'tool_choice'],
    [
      'a tool_choice with an unknown field',
      { ...TOOLS, tool_choice: { type: 'function', function: { name: 'a', x: 1 } } },
      'tool_choice',
    ],
  ])('are refused with 400 for %s, naming the field', async (_what, more, field) => {
    const user = await registerUser(api.url);
    const refused = await user.request('POST', '/api/v1/chat', { message: 'hi', ...more });
    expect(refused).toMatchObject({ status: 400, body: { error: { param: field } } });
  });

  it('are refused before anything is stored if the model does not support them', async () => {
    const user = await registerUser(api.url);
    const refused = await user.request('POST', '/api/v1/chat', {
      message: 'hi',
      model: 'demo/echo',
      ...TOOLS,
    });
    expect(refused).toMatchObject({ status: 400, body: { error: { param: 'tools' } } });
    const { body } = await user.request('GET', '/api/v1/conversations');
    expect(listAt(body, 'data')).toEqual([]);
  });

  it.each([
    ['required without tools', { tool_choice: 'required' }],
    ['a function without tools', { tool_choice: { type: 'function', function: { name: 'get_weather' } } }],
    ['an unknown function', { ...TOOLS, tool_choice: { type: 'function', function: { name: 'other' } } }],
  ])('are refused before anything is stored if tool_choice is %s', async (_what, more) => {
    const user = await registerUser(api.url);
    const refused = await user.request('POST', '/api/v1/chat', { message: 'hi', ...more });
    expect(refused).toMatchObject({ status: 400, body: { error: { param: 'tool_choice' } } });
    expect(listAt((await user.request('GET', '/api/v1/conversations')).body, 'data')).toEqual([]);
  });

  it('lose their tool_choice if they are removed when the answer is regenerated', async () => {
    const user = await registerUser(api.url);
    const { conversationId, messageId } = await callTools(user, [OSLO], { tool_choice: 'required' });
    const path = `/api/v1/conversations/${conversationId}/messages/${messageId}/regenerate`;
    const asked = provider.nextRequest('chat');
    expect((await user.request('POST', path, { tools: [] })).status).toBe(200);
    const { body } = await asked;
    expect([at(body, 'tools'), at(body, 'tool_choice')]).toEqual([undefined, undefined]);
  });

  it('can be forced by name with tool_choice', async () => {
    const user = await registerUser(api.url);
    const asked = provider.nextRequest('chat');
    const tool_choice = { type: 'function', function: { name: 'get_weather' } };
    await callTools(user, [OSLO], { tool_choice });
    expect((await asked).body).toMatchObject({ tool_choice });
  });
});

describe('a malformed tool call of a model', () => {
  it('is stored, and its result is accepted', async () => {
    const user = await registerUser(api.url);
    const odd = { id: 'call_odd', name: 'get_weather', arguments: '{"city":"\\u0000 \0 \ud83d"' };
    const { conversationId, messageId } = await callTools(user, [odd]);
    const [, message] = await messagesOf(user, conversationId);
    expect(message).toMatchObject({ status: 'complete', tool_calls: [{ id: 'call_odd' }] });
    // The arguments are not JSON: the result is accepted, and sent to the model as text.
    const asked = provider.nextRequest('chat');
    expect((await results(user, messageId, [[odd.id, 'That was no JSON.']])).status).toBe(200);
    const sent = JSON.stringify((await asked).body);
    expect(sent).toContain('That was no JSON.');
    expect(sent).toContain('get_weather(');
  });
});
