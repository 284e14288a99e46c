// Real components: two applications on sockets over one PostgreSQL and one Redis, and the provider's
// protocol.
import { afterAll, afterEach, beforeAll, expect, it } from '@jest/globals';
import { beginStream, rejoin } from '../../../../support/answers.js';
import { at, collect, registerUser, type TestUser, textOf, userWith } from '../../../../support/client.js';
import { gatedAnswer } from '../../../../support/fake-provider/gated-answer.js';
import { describeWithRedis } from '../../../../support/redis.js';
import { startTwoProcesses, type TwoProcesses } from '../../../../support/two-processes.js';

// A separate file, because a process uses one kind of queue for its whole life.

describeWithRedis('an answer that violates the requested format', () => {
  let processes: TwoProcesses;
  let user: TestUser;
  let elsewhere: TestUser;

  beforeAll(async () => {
    processes = await startTwoProcesses();
    user = await registerUser(processes.here.url);
    elsewhere = userWith(processes.there.url, user.token);
  });

  afterEach(() => {
    processes.provider.reset();
  });

  afterAll(() => processes.close());

  it('ends with the same error on its own process, on another one, and when read from its row', async () => {
    const { provider, here, there } = processes;
    const gate = gatedAnswer(['The city', ' is Oslo.']);
    provider.script(gate);
    const format = { response_format: { type: 'json_object' } };
    const { messageId, events } = await beginStream(provider, user, format);
    const follower = rejoin(there.url, elsewhere, messageId);
    // Follows on the other process before there is a result.
    await follower.next();
    gate.finish();
    const [own, followed] = await Promise.all([collect(events), collect(follower)]);
    const stored = await collect(rejoin(here.url, user, messageId));
    expect([own, followed, stored].map(textOf)).toEqual(Array.from({ length: 3 }, () => 'The city is Oslo.'));
    const error = at(own.at(-1), 'error');
    expect(at(error, 'code')).toBe('output_parse_error');
    expect([followed, stored].map((all) => at(all.at(-1), 'error'))).toEqual([error, error]);
  });
});
