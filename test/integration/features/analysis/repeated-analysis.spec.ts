// Real components: the API on a socket with its jobs, PostgreSQL, and the processes that extract texts. The clock of the
// waits is set by the test.
import { beforeAll, describe, expect, it } from '@jest/globals';
import { idOf } from '../../../support/accounts.js';
import { type ApiResponse, at, listAt, registerUser, type TestUser } from '../../../support/client.js';
import { ManualClock } from '../../../support/clock.js';
import { makePending, untilExtracted } from '../../../support/file-texts.js';
import { formOf, uploadedId } from '../../../support/files.js';
import { makePdf } from '../../../support/pdf.js';
import { setUpApi, setUpProvider } from '../../../support/set-up.js';
import { query, until } from '../../../support/stored.js';

const RPM = 6;

const provider = setUpProvider();
const clock = new ManualClock();
const api = setUpApi(
  () => ({
    OPENAI_BASE_URL: provider.baseUrl,
    DEFAULT_MODEL: 'openai/test-model',
    LLM_MAX_RETRIES: '0',
    RATE_LIMIT_MODEL_RPM: String(RPM),
  }),
  undefined,
  clock,
);

let pdf: Buffer<ArrayBuffer>;

beforeAll(async () => {
  pdf = await makePdf(['The harbor opens at seven.']);
});

/** Asks about a PDF in a form. */
async function analyze(
  user: TestUser,
  { key, question = 'When?', name = 'harbor.pdf', bytes = pdf }: Partial<Analysis> = {},
): Promise<ApiResponse> {
  const form = formOf({ name, type: 'application/pdf', bytes });
  form.append('question', question);
  form.append('stream', 'false');
  const response = await fetch(`${api.url}/api/v1/analyze/pdf`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${user.token}`,
      ...(key !== undefined && { 'idempotency-key': key }),
    },
    body: form,
  });
  const body: unknown = await response.json();
  return { status: response.status, headers: response.headers, body };
}

interface Analysis {
  readonly key: string;
  readonly question: string;
  readonly name: string;
  readonly bytes: Buffer<ArrayBuffer>;
}

/** Asks about a PDF whose text does not become ready, until the wait for it is over. */
async function analyzeInVain(user: TestUser, analysis: Partial<Analysis> = {}): Promise<ApiResponse> {
  clock.reset();
  const answer = analyze(user, analysis);
  await until('some looks at the text', () => clock.waits.length > 2);
  clock.advance(30_000);
  return answer;
}

async function fileIds(user: TestUser): Promise<unknown[]> {
  return listAt((await user.request('GET', '/api/v1/files')).body, 'data').map((file) => at(file, 'id'));
}

/** Registers a user who has a file of the same bytes, whose text another process extracts. */
async function userWithPendingText(): Promise<TestUser> {
  const user = await registerUser(api.url);
  const id = await uploadedId(api.url, user, { name: 'other.pdf', type: 'application/pdf', bytes: pdf });
  await untilExtracted(user, id);
  await makePending(api, await idOf(user), 'leased');
  return user;
}

describe('an analysis without an Idempotency-Key whose text is not ready', () => {
  it('is repeated with the same file, until it is answered', async () => {
    const user = await userWithPendingText();
    for (let attempt = 0; attempt < 3; attempt += 1) {
      const { status, body } = await analyzeInVain(user);
      expect([status, at(body, 'error', 'code')]).toEqual([409, 'not_ready']);
    }
    const ids = await fileIds(user);
    expect(ids).toHaveLength(2);
    await makePending(api, await idOf(user), 'due');
    await untilExtracted(user, String(ids[0]));
    expect((await analyze(user)).status).toBe(200);
    expect(await fileIds(user)).toEqual(ids);
  });

  it.each<[what: string, other: () => Promise<Partial<Analysis>>]>([
    ['another name', () => Promise.resolve({ name: 'another.pdf' })],
    ['other bytes', async () => ({ bytes: await makePdf(['Dogs travel free.']) })],
  ])('does not give its file to one with %s', async (_what, other) => {
    const user = await userWithPendingText();
    await analyzeInVain(user);
    const analysis = await other();
    const { bytes = pdf } = analysis;
    const ids = await fileIds(user);
    if (bytes === pdf) await analyzeInVain(user, analysis);
    else expect((await analyze(user, analysis)).status).toBe(200);
    expect(await fileIds(user)).toHaveLength(ids.length + 1);
  });

  it('does not give its file to another account', async () => {
    await analyzeInVain(await userWithPendingText());
    const user = await registerUser(api.url);
    const { status } = await analyze(user);
    expect([status, await fileIds(user)]).toEqual([200, [expect.any(String)]]);
  });

  it('is a new upload once the file of the refused one is deleted', async () => {
    const user = await userWithPendingText();
    const [other] = await fileIds(user);
    await analyzeInVain(user);
    const [kept] = await fileIds(user);
    expect((await user.request('DELETE', `/api/v1/files/${String(kept)}`)).status).toBe(204);
    await makePending(api, await idOf(user), 'due');
    await untilExtracted(user, String(other));
    expect((await analyze(user)).status).toBe(200);
    const ids = await fileIds(user);
    expect(ids).toEqual([expect.any(String), other]);
    expect(ids[0]).not.toBe(kept);
  });
});

describe('an analysis in a form with an Idempotency-Key', () => {
  it('has its answer sent again after its file is deleted, and no other one', async () => {
    const user = await registerUser(api.url);
    const first = await analyze(user, { key: 'harbor' });
    expect(first.status).toBe(200);
    const [id] = await fileIds(user);
    expect((await user.request('DELETE', `/api/v1/files/${String(id)}`)).status).toBe(204);
    const again = await analyze(user, { key: 'harbor' });
    expect([again.status, again.headers.get('idempotent-replayed')]).toEqual([200, 'true']);
    expect(at(again.body, 'message_id')).toBe(at(first.body, 'message_id'));
    expect(at(again.body, 'message')).toBe(at(first.body, 'message'));
    const question = await analyze(user, { key: 'harbor', question: 'Where?' });
    const bytes = await analyze(user, { key: 'harbor', bytes: await makePdf(['Other']) });
    for (const { status, body } of [question, bytes])
      expect([status, at(body, 'error', 'code')]).toEqual([409, 'idempotency_key_reused']);
    expect(await fileIds(user)).toEqual([]);
  });

  it('is a 404 if its file was deleted before it had an answer', async () => {
    const user = await userWithPendingText();
    expect((await analyzeInVain(user, { key: 'early' })).status).toBe(409);
    const [id] = await fileIds(user);
    expect((await user.request('DELETE', `/api/v1/files/${String(id)}`)).status).toBe(204);
    const { status, body } = await analyze(user, { key: 'early' });
    expect([status, at(body, 'error', 'code')]).toEqual([404, 'not_found']);
  });
});

describe('analyses beyond the rate limit of model requests', () => {
  it('are 429 with the headers of the limit, and nothing is stored or spent', async () => {
    const user = await registerUser(api.url);
    for (let request = 0; request < RPM; request += 1) expect((await analyze(user)).status).toBe(200);
    const userId = await idOf(user);
    const stored = () =>
      Promise.all(
        ['files', 'file_contents', 'conversations', 'messages', 'usage_records', 'upload_keys'].map((table) =>
          query(api.database, `SELECT count(*)::int AS rows FROM ${table} WHERE user_id = $1`, [userId]),
        ),
      );
    const before = await stored();
    const sent = provider.requests.length;
    const bytes = await makePdf(['Not yet seen']);
    const { status, headers, body } = await analyze(user, { key: 'refused', bytes });
    expect([status, at(body, 'error', 'code')]).toEqual([429, 'rate_limit_exceeded']);
    expect(headers.get('x-ratelimit-limit-requests')).toBe(String(RPM));
    expect(headers.get('x-ratelimit-remaining-requests')).toBe('0');
    expect(Number(headers.get('retry-after'))).toBeGreaterThan(0);
    expect(await stored()).toEqual(before);
    expect(provider.requests).toHaveLength(sent);
  });
});
