// Real components: the API on a socket, PostgreSQL, and the provider's protocol, whose requests show the
// model's input.
import { describe, expect, it } from '@jest/globals';
import type { Settings } from '../../../../support/api.js';
import { at, listAt, registerUser, type TestUser } from '../../../../support/client.js';
import { setUpApiStarter, setUpProvider } from '../../../../support/set-up.js';

const provider = setUpProvider();
const startForTest = setUpApiStarter();

async function start(more: Settings = {}): Promise<TestUser> {
  const { url } = await startForTest({
    OPENAI_BASE_URL: provider.baseUrl,
    DEFAULT_MODEL: 'openai/test-model',
    LLM_MAX_RETRIES: '0',
    MODEL_CONTEXT_WINDOWS: '{}',
    ...more,
  });
  return registerUser(url);
}

/** A text of the given number of tokens; a message adds four to it. */
function text(word: string, tokens = 60): string {
  return Array.from({ length: tokens }, () => word).join(' ');
}

/**
 * Sends the messages one after the other in a new conversation and returns the model's input for the last
 * one.
 */
async function messagesSentAfter(
  user: TestUser,
  messages: readonly string[],
  more: object = {},
): Promise<unknown[]> {
  let conversation_id: unknown;
  for (const message of messages) {
    const { status, body } = await user.request('POST', '/api/v1/chat', {
      message,
      ...(conversation_id !== undefined && { conversation_id }),
      ...more,
    });
    expect(status).toBe(200);
    conversation_id = at(body, 'conversation_id');
  }
  return sentMessages();
}

/** The messages most recently sent to the model. */
function sentMessages(): unknown[] {
  const asked = provider.requests.filter(({ route }) => route === 'chat');
  return listAt(asked.at(-1)?.body, 'messages').map((message) => at(message, 'content'));
}

const [one, two, three] = [text('one'), text('two'), text('six')];

describe('the context sent to the model', () => {
  it.each([
    // A quarter of 256 is reserved for the answer: 192 are left, three messages of 64.
    [256, {}, [two, two, three]],
    // Four messages fit; the answer whose question does not fit is left out.
    [400, { max_tokens: 144 }, [two, two, three]],
    [400, { max_tokens: 81 }, [two, two, three]],
    [400, { max_tokens: 80 }, [one, one, two, two, three]],
    [400, { max_tokens: 336 }, [three]],
    // The system prompt takes 46 of the available tokens.
    [400, { max_tokens: 35, system_prompt: text('sir', 42) }, [text('sir', 42), two, two, three]],
    [400, { max_tokens: 34, system_prompt: text('sir', 42) }, [text('sir', 42), one, one, two, two, three]],
  ])('fits a window of %d together with the answer, given %j', async (window, more, expected) => {
    const user = await start({ MODEL_CONTEXT_WINDOWS: JSON.stringify({ 'openai/test-model': window }) });
    expect(await messagesSentAfter(user, [one, two, three], more)).toEqual(expected);
  });

  it('never exceeds CONTEXT_MAX_TOKENS, however large the window is', async () => {
    const user = await start({ MODEL_CONTEXT_WINDOWS: '{"openai/*":1000000}', CONTEXT_MAX_TOKENS: '256' });
    expect(await messagesSentAfter(user, [one, two, three])).toEqual([two, two, three]);
  });

  it('fits the window in the host’s list of models, which is fetched once', async () => {
    const list = { object: 'list', data: [{ id: 'test-model', object: 'model', max_model_len: 256 }] };
    const user = await start();
    provider.scriptFor('models', { kind: 'verbatim', body: JSON.stringify(list) });
    expect(await messagesSentAfter(user, [one, two, three])).toEqual([two, two, three]);
    expect(provider.requests.filter(({ route }) => route === 'models')).toHaveLength(1);
  });

  it('fits an estimated window if nothing is known about the model', async () => {
    const user = await start();
    const long = text('one', 1_000);
    // A quarter of 8,192 is reserved for the answer; 6,144 hold five messages of a thousand, starting with a
    // question.
    expect(await messagesSentAfter(user, [long, long, long, long])).toHaveLength(5);
  });

  it('fits the smallest window among the models of an alias', async () => {
    const user = await start({
      MODEL_ALIASES: '{"both":["openai/large","openai/small"]}',
      MODEL_CONTEXT_WINDOWS: '{"openai/large":100000,"openai/small":256}',
    });
    expect(await messagesSentAfter(user, [one, two, three], { model: 'both' })).toEqual([two, two, three]);
  });

  it('includes a question that does not fit unchanged, and the provider’s error is returned', async () => {
    const user = await start({ MODEL_CONTEXT_WINDOWS: '{"openai/*":256}' });
    provider.setDefault({ kind: 'error', status: 400, code: 'context_length_exceeded' });
    const long = text('one', 900);
    const { status, body } = await user.request('POST', '/api/v1/chat', { message: long });
    expect([status, at(body, 'error', 'code')]).toEqual([400, 'context_length_exceeded']);
    expect(sentMessages()).toEqual([long]);
  });
});
