import { describe, expect, it } from '@jest/globals';
import { at, collect, listAt, registerUser, textOf } from '../../../../support/client.js';
import { setUpApi, setUpProvider } from '../../../../support/set-up.js';

describe('a chat turn over the real server, database and provider protocol', () => {
  const provider = setUpProvider({ apiKey: 'test-key' });
  const api = setUpApi(() => ({ OPENAI_BASE_URL: provider.baseUrl, OPENAI_API_KEY: 'test-key' }));

  it('returns an answer and stores the question, the answer and the usage', async () => {
    const user = await registerUser(api.url);
    provider.script({ kind: 'answer', text: ['Hel', 'lo!'] });
    const { status, body, headers } = await user.request('POST', '/api/v1/chat', { message: 'Say hello' });
    expect(status).toBe(200);
    expect(at(body, 'message')).toBe('Hello!');
    expect(at(body, 'model')).toBe('openai/test-model');
    expect(headers.get('x-conversation-id')).toBe(at(body, 'conversation_id'));
    const path = `/api/v1/conversations/${String(at(body, 'conversation_id'))}`;
    const messages = listAt((await user.request('GET', `${path}/messages`)).body, 'data');
    expect(
      messages.map((message) => [at(message, 'role'), at(message, 'content'), at(message, 'status')]),
    ).toEqual([
      ['user', 'Say hello', 'complete'],
      ['assistant', 'Hello!', 'complete'],
    ]);
    const conversation = (await user.request('GET', path)).body;
    expect(at(conversation, 'tokens_used')).toBe(at(body, 'tokens_used'));
  });

  it('streams the same answer', async () => {
    const user = await registerUser(api.url);
    provider.script({ kind: 'answer', text: ['Hel', 'lo!'] });
    const events = await collect(user.stream('/api/v1/chat/stream', { message: 'Say hello' }));
    expect(textOf(events)).toBe('Hello!');
    expect(at(events.at(-2), 'finished')).toBe(true);
    expect(events.at(-1)).toBe('[DONE]');
  });
});
