import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { at, listAt, registerUser, textOf, userWith } from '../support/client.js';
import { makeDataDir } from '../support/data-dir.js';
import { type FakeProvider, startFakeProvider } from '../support/fake-provider/fake-provider.js';
import { gatedAnswer } from '../support/fake-provider/gated-answer.js';
import { type ServerProcess, startServer } from '../support/server-process.js';

describe('the built server, killed with SIGKILL', () => {
  let provider: FakeProvider;
  let dataDir: Awaited<ReturnType<typeof makeDataDir>>;
  const servers: ServerProcess[] = [];

  beforeAll(async () => {
    provider = await startFakeProvider();
    dataDir = await makeDataDir();
  });

  afterAll(async () => {
    await Promise.all(servers.splice(0).map((server) => server.end('SIGTERM')));
    await provider.close();
    await dataDir.remove();
  });

  function start(more: Readonly<Record<string, string>> = {}): ServerProcess {
    const server = startServer({ DATA_DIR: dataDir.path, OPENAI_BASE_URL: provider.baseUrl, ...more });
    servers.push(server);
    return server;
  }

  it('restarts with its running database server, has the question once and the partial answer as interrupted, and continues', async () => {
    const first = start();
    const user = await registerUser(await first.ready);
    const database = databaseProcess(dataDir.path);
    const answer = gatedAnswer(['The sky ', 'is blue ', 'because ', 'of scattering.']);
    provider.script(answer);
    const shown: unknown[] = [];
    const reading = (async () => {
      for await (const { data } of user.stream('/api/v1/chat/stream', { message: 'Why is the sky blue?' })) {
        shown.push(data);
        // The process is killed once the first words have been received and stored by a checkpoint.
        if (textOf(shown) === 'The sky is blue ')
          await checkpointed(user, String(at(data, 'conversation_id')));
        if (textOf(shown) === 'The sky is blue ') await first.end('SIGKILL');
      }
    })();
    answer.release(2);
    await expect(reading).rejects.toThrow();

    const second = start();
    const again = userWith(await second.ready, user.token);
    expect(databaseProcess(dataDir.path)).toBe(database);
    const conversationId = String(at(shown[0], 'conversation_id'));
    const messages = listAt(
      (await again.request('GET', `/api/v1/conversations/${conversationId}/messages`)).body,
      'data',
    );
    expect(
      messages.map((message) => [at(message, 'role'), at(message, 'content'), at(message, 'status')]),
    ).toEqual([
      ['user', 'Why is the sky blue?', 'complete'],
      ['assistant', 'The sky is blue ', 'interrupted'],
    ]);
    expect(at(messages[1], 'error', 'code')).toBe('interrupted');
    const conversation = (await again.request('GET', `/api/v1/conversations/${conversationId}`)).body;
    expect(at(conversation, 'tokens_used')).toBe(at(messages[1], 'usage', 'total_tokens'));
    expect(at(conversation, 'tokens_used')).toBeGreaterThan(0);

    provider.script({ kind: 'answer', text: 'Because of scattering.' });
    const body = { message: 'Go on', conversation_id: conversationId };
    const next = await again.request('POST', '/api/v1/chat', body);
    expect([next.status, at(next.body, 'message')]).toEqual([200, 'Because of scattering.']);
  });
});

/** Returns the process id of the running database server from PostgreSQL's own file. */
function databaseProcess(dataDir: string): string {
  const file = readdirSync(dataDir, { recursive: true, encoding: 'utf8' }).find((name) =>
    name.endsWith('postmaster.pid'),
  );
  if (file === undefined) throw new Error('No database server runs.');
  return readFileSync(join(dataDir, file), 'utf8').split('\n')[0] ?? '';
}

/** Resolves once the partial answer is stored. */
async function checkpointed(
  user: { request(method: string, path: string): Promise<{ body: unknown }> },
  conversationId: string,
): Promise<void> {
  for (;;) {
    const { body } = await user.request('GET', `/api/v1/conversations/${conversationId}/messages`);
    if (at(listAt(body, 'data')[1], 'content') === 'The sky is blue ') return;
  }
}
