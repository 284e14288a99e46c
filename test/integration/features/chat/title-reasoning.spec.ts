// Real here: the API on a socket with its jobs, PostgreSQL, and the provider's protocol.
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { asking, startApi, type TestApi } from '../../../support/api.js';
import { untilChoresDone, untilWaiting } from '../../../support/chores.js';
import { at, listAt, registerUser, type TestUser } from '../../../support/client.js';
import { type FakeProvider, startFakeProvider } from '../../../support/fake-provider/fake-provider.js';

const QUESTION = 'Why is the sky blue?';

let provider: FakeProvider;
let api: TestApi;
let user: TestUser;

beforeAll(async () => {
  provider = await startFakeProvider();
  api = await startApi({ ...asking(provider), TITLE_MODEL: 'openai/title-model' });
  user = await registerUser(api.url);
});

afterEach(() => provider.reset());

afterAll(async () => {
  await api.close();
  await provider.close();
});

async function ask(): Promise<string> {
  const { body } = await user.request('POST', '/api/v1/chat', { message: QUESTION });
  return String(at(body, 'conversation_id'));
}

async function titleOf(id: string): Promise<unknown> {
  return at((await user.request('GET', `/api/v1/conversations/${id}`)).body, 'title');
}

describe('a title by a model that reasons', () => {
  it.each([
    ['in tags', '<think>They ask about the sky.</think>\n\nBlue sky'],
    ['behind an opening tag that its template swallowed', 'They ask about the sky.\n</think>\n\nBlue sky'],
    ['in tags of another name', '<thinking>They ask.</thinking>Blue sky'],
  ])('has nothing of its reasoning %s', async (_where, text) => {
    provider.script({ kind: 'answer', text: 'It scatters.' }, { kind: 'answer', text });
    const id = await ask();
    await untilChoresDone(api, id);
    expect(await titleOf(id)).toBe('Blue sky');
  });

  it('stays the question’s own words while its reasoning was cut off', async () => {
    const text = '<think>Okay, they ask about the sky and I must';
    provider.script(
      { kind: 'answer', text: 'It scatters.' },
      { kind: 'answer', text, finishReason: 'length' },
    );
    const id = await ask();
    await untilWaiting(api, id, 1);
    expect(await titleOf(id)).toBe(QUESTION);
  });

  it('is not found in the reasoning of the answer that it is for', async () => {
    provider.script({ kind: 'answer', text: '<think>Rayleigh?</think>It scatters.' }, { kind: 'answer' });
    const id = await ask();
    await untilChoresDone(api, id);
    const { body } = provider.requests.find(({ body: sent }) => at(sent, 'model') === 'title-model') ?? {};
    const told = String(at(listAt(body, 'messages').at(-1), 'content'));
    expect(told).toContain('It scatters.');
    expect(told).not.toContain('Rayleigh');
  });
});
