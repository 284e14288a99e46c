// Real components: the API on a socket, PostgreSQL, the file directory, and the protocols of three providers.
// The requests that reach the provider show the files sent to a model. One set of test files serves all
// cases: they are sent, sent again, replaced by a note, or refused.
import { describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { type Settings, startApi } from '../../../../support/api.js';
import { type ApiResponse, at, listAt, registerUser, send } from '../../../../support/client.js';
import { deflatedEntry, DOCX_SHELL, docxBody, makeZip } from '../../../../support/documents.js';
import { PNG, type TestFile, uploadedId } from '../../../../support/files.js';
import { makePdf } from '../../../../support/pdf.js';
import { setUpApi, setUpProvider, setUpUser } from '../../../../support/set-up.js';
import { query, until } from '../../../../support/stored.js';

const CLAUDE = 'anthropic/claude-sonnet-4-6';
const OPENAI = 'openai/test-model';
const SEEING = 'ollama/llama3.2-vision';
const BLIND = 'ollama/llama3.2';
const NOBODY = '0199a3f0-5b7e-7cc3-9d3a-2f6f1c0e9a11';
const PDF = await makePdf(['All is well.']);

const IMAGE: TestFile = { name: 'dot.png', type: 'image/png', bytes: PNG };
const REPORT: TestFile = { name: 'report.pdf', type: 'application/pdf', bytes: PDF };
const NOTE: TestFile = { name: 'note.md', type: 'text/markdown', bytes: '# Grüße' };

const IMAGE_URL = `data:image/png;base64,${PNG.toString('base64')}`;
const IMAGE_PART = { type: 'image_url', image_url: { url: IMAGE_URL } };
const REPORT_TEXT = 'File: report.pdf\n\nAll is well.\n\n';
const REPORT_PART = { type: 'text', text: REPORT_TEXT };
const NOTE_TEXT = 'File: note.md\n\n# Grüße\n\n';
const NOTE_PART = { type: 'text', text: NOTE_TEXT };

const provider = setUpProvider();
const api = setUpApi(settings);
const user = setUpUser(api);

function settings(more: Settings = {}): Settings {
  return {
    OPENAI_BASE_URL: provider.baseUrl,
    ANTHROPIC_BASE_URL: provider.anthropicBaseUrl,
    OLLAMA_BASE_URL: provider.origin,
    DEFAULT_MODEL: OPENAI,
    LLM_MAX_RETRIES: '0',
    MODEL_ALIASES: JSON.stringify({ any: ['demo/echo', BLIND, SEEING, OPENAI], none: ['demo/echo', BLIND] }),
    ...more,
  };
}

function uploadAll(...files: readonly TestFile[]): Promise<string[]> {
  return Promise.all(files.map((file) => uploadedId(api.url, user, file)));
}

/** Runs a turn that must succeed; returns its response and the messages sent to the provider. */
async function ask(body: object, path = '/api/v1/chat'): Promise<{ answer: ApiResponse; sent: unknown[] }> {
  const answer = await user.request('POST', path, { message: 'What is it?', ...body });
  if (answer.status !== 200)
    throw new Error(`The turn answered ${answer.status}: ${JSON.stringify(answer.body)}`);
  return { answer, sent: lastSentMessages() };
}

/** Returns the messages of the last request that reached the provider. */
function lastSentMessages(): unknown[] {
  const last = provider.requests.findLast(({ route }) => route === 'chat');
  return last === undefined ? [] : listAt(last.body, 'messages');
}

async function refuse(body: object, by = user): Promise<ApiResponse> {
  const before = await query(api.database, 'SELECT count(*)::int AS count FROM conversations');
  const answer = await by.request('POST', '/api/v1/chat', { message: 'What is it?', ...body });
  expect(provider.requests.filter(({ route }) => route === 'chat')).toEqual([]);
  expect(await query(api.database, 'SELECT count(*)::int AS count FROM conversations')).toEqual(before);
  return answer;
}

function reasonOf({ status, body }: ApiResponse) {
  const { code, param, message } = Object(at(body, 'error')) as Record<string, unknown>;
  return { status, code, param, message };
}

async function messagesOf(answer: ApiResponse): Promise<unknown[]> {
  const conversation = String(at(answer.body, 'conversation_id'));
  return listAt((await user.request('GET', `/api/v1/conversations/${conversation}/messages`)).body, 'data');
}

describe('the files of a question', () => {
  it('are sent in OpenAI’s API format, before the question and in order', async () => {
    const file_ids = await uploadAll(IMAGE, REPORT, NOTE);
    const { answer, sent } = await ask({ file_ids, model: OPENAI });
    const content = [IMAGE_PART, REPORT_PART, NOTE_PART, { type: 'text', text: 'What is it?' }];
    expect(sent).toEqual([{ role: 'user', content }]);
    const [question, reply] = await messagesOf(answer);
    expect(at(question, 'content')).toBe('What is it?');
    expect(at(question, 'attachments')).toEqual([
      { file_id: file_ids[0], name: 'dot.png', media_type: 'image/png' },
      { file_id: file_ids[1], name: 'report.pdf', media_type: 'application/pdf' },
      { file_id: file_ids[2], name: 'note.md', media_type: 'text/markdown' },
    ]);
    expect(at(reply, 'attachments')).toEqual([]);
  });

  it('are sent in Anthropic’s API format', async () => {
    const { sent } = await ask({ file_ids: await uploadAll(IMAGE, REPORT, NOTE), model: CLAUDE });
    const base64 = (media_type: string, bytes: Buffer) => ({
      type: 'base64',
      media_type,
      data: bytes.toString('base64'),
    });
    const content = [
      { type: 'image', source: base64('image/png', PNG) },
      { type: 'document', source: base64('application/pdf', PDF), title: 'report.pdf' },
      NOTE_PART,
      { type: 'text', text: 'What is it?' },
    ];
    expect(sent).toEqual([{ role: 'user', content }]);
  });

  it.each([OPENAI, CLAUDE, SEEING])(
    'are sent as their text to %s if they are a DOCX or a CSV',
    async (model) => {
      const letter = makeZip([...DOCX_SHELL, deflatedEntry('word/document.xml', docxBody('Dear Ada,'))]);
      const file_ids = await uploadAll(
        { name: 'letter.docx', type: 'application/octet-stream', bytes: Buffer.from(letter) },
        { name: 'sums.csv', type: 'text/csv', bytes: 'Year,Sum\n2026,7\n' },
      );
      const { sent } = await ask({ file_ids, model });
      const texts = [
        'File: letter.docx\n\nDear Ada,\n\n',
        'File: sums.csv\n\nYear,Sum\n2026,7\n\n\n',
        'What is it?',
      ];
      const content = model === SEEING ? texts.join('') : texts.map((text) => ({ type: 'text', text }));
      expect(sent).toEqual([{ role: 'user', content }]);
    },
  );

  it('are sent in Ollama’s API format after its server confirmed that the model supports images', async () => {
    const { sent } = await ask({ file_ids: await uploadAll(IMAGE, NOTE), model: SEEING });
    expect(sent).toEqual([
      { role: 'user', content: `${NOTE_TEXT}What is it?`, images: [PNG.toString('base64')] },
    ]);
    const shown = provider.requests.filter(({ path }) => path === '/api/show').map(({ body }) => body);
    expect(shown).toContainEqual({ model: 'llama3.2-vision' });
  });

  it('are sent to the demo model if they are text files', async () => {
    const { answer } = await ask({ file_ids: await uploadAll(NOTE), model: 'demo/echo' });
    expect(at(answer.body, 'message')).toContain(
      'The first lines of note.md:\n# Grüße\n\nYou wrote: What is it?',
    );
  });

  it('are sent in a streamed turn too', async () => {
    await ask({ file_ids: await uploadAll(NOTE) }, '/api/v1/chat/stream');
    expect(lastSentMessages()).toEqual([
      { role: 'user', content: [NOTE_PART, { type: 'text', text: 'What is it?' }] },
    ]);
  });

  it('are sent again in later turns, and replaced by a note once they are deleted', async () => {
    const [image = '', note = ''] = await uploadAll(IMAGE, NOTE);
    const { answer } = await ask({ file_ids: [image, note] });
    const conversation_id = at(answer.body, 'conversation_id');
    const second = await ask({ message: 'And now?', conversation_id });
    const question = { type: 'text', text: 'What is it?' };
    expect(second.sent).toEqual([
      { role: 'user', content: [IMAGE_PART, NOTE_PART, question] },
      { role: 'assistant', content: at(answer.body, 'message') },
      { role: 'user', content: 'And now?' },
    ]);
    expect((await user.request('DELETE', `/api/v1/files/${image}`)).status).toBe(204);
    const third = await ask({ message: 'And then?', conversation_id });
    const gone = { type: 'text', text: '[The file "dot.png" was deleted.]\n\n' };
    expect(third.sent[0]).toEqual({ role: 'user', content: [gone, NOTE_PART, question] });
    const [asked] = await messagesOf(answer);
    expect(at(asked, 'attachments', 0)).toEqual({ file_id: null, name: 'dot.png', media_type: 'image/png' });
  });

  it('are sent as text, or replaced by a note, if the model of a later turn does not support their type', async () => {
    const { answer } = await ask({ file_ids: await uploadAll(IMAGE, REPORT), model: CLAUDE });
    const later = { message: 'And now?', conversation_id: at(answer.body, 'conversation_id') };
    expect((await ask({ ...later, model: SEEING })).sent[0]).toEqual({
      role: 'user',
      content: `${REPORT_TEXT}What is it?`,
      images: [PNG.toString('base64')],
    });
    expect((await ask({ ...later, model: BLIND })).sent[0]).toEqual({
      role: 'user',
      content: `[The file "dot.png" is left out: this model does not read files of its type.]\n\n${REPORT_TEXT}What is it?`,
    });
  });

  it('are replaced by a note, oldest first, if they exceed the size limit together', async () => {
    const large = (name: string): TestFile => ({
      name,
      bytes: Buffer.concat([PNG, Buffer.alloc(11 * 2 ** 20)]),
    });
    const { answer } = await ask({ file_ids: await uploadAll(large('old.png'), NOTE) });
    const { sent } = await ask({
      file_ids: await uploadAll(large('new.png')),
      conversation_id: at(answer.body, 'conversation_id'),
    });
    const left =
      '[The file "old.png" is left out: the files of the conversation are too large together.]\n\n';
    expect(at(sent[0], 'content')).toEqual([
      { type: 'text', text: left },
      NOTE_PART,
      { type: 'text', text: 'What is it?' },
    ]);
    expect(at(sent.at(-1), 'content', 0, 'type')).toBe('image_url');
  });

  it('stay attached to an edited question, and are sent again when its answer is regenerated', async () => {
    const [image = ''] = await uploadAll(IMAGE);
    const { answer } = await ask({ file_ids: [image] });
    const conversation = String(at(answer.body, 'conversation_id'));
    const [question, reply] = await messagesOf(answer);
    const path = (message: unknown, what: string) =>
      `/api/v1/conversations/${conversation}/messages/${String(at(message, 'id'))}/${what}`;
    const edited = await ask({ message: 'What color is it?' }, path(question, 'edit'));
    expect(edited.sent).toEqual([
      { role: 'user', content: [IMAGE_PART, { type: 'text', text: 'What color is it?' }] },
    ]);
    const [now] = await messagesOf(answer);
    expect(at(now, 'attachments')).toEqual([{ file_id: image, name: 'dot.png', media_type: 'image/png' }]);
    provider.reset();
    const again = await user.request('POST', path(reply, 'regenerate'), {});
    expect(again.status).toBe(200);
    expect(lastSentMessages()).toEqual([
      { role: 'user', content: [IMAGE_PART, { type: 'text', text: 'What is it?' }] },
    ]);
    const blind = await user.request('POST', path(reply, 'regenerate'), { model: BLIND });
    expect(reasonOf(blind)).toMatchObject({ status: 400, code: 'invalid_request', param: 'model' });
  });

  it('count towards the tokens of the message and its context', async () => {
    const { answer } = await ask({ message: 'Hi', file_ids: await uploadAll(IMAGE, REPORT, NOTE) });
    const [row] = await query(
      api.database,
      `SELECT token_count FROM messages WHERE role = 'user' AND conversation_id = $1`,
      [at(answer.body, 'conversation_id')],
    );
    // The texts of documents are not part of it: each turn sends as much of them as fits.
    const words = Number(row?.['token_count']) - 1600;
    expect(words).toBeGreaterThan(0);
    expect(words).toBeLessThan(10);
  });

  it('are part of the request’s fingerprint for its Idempotency-Key', async () => {
    const [one, other] = await uploadAll(NOTE, NOTE);
    const named = (file_ids: unknown[]) =>
      send(`${api.url}/api/v1/chat`, {
        method: 'POST',
        body: { message: 'Hi', file_ids },
        headers: { authorization: `Bearer ${user.token}`, 'idempotency-key': 'files' },
      });
    expect((await named([one])).status).toBe(200);
    expect((await named([one])).headers.get('idempotent-replayed')).toBe('true');
    expect(reasonOf(await named([other]))).toMatchObject({ status: 409, code: 'idempotency_key_reused' });
  });
});

describe('the choice of a model for files', () => {
  it('takes the first model of an alias that supports the files', async () => {
    const image = await ask({ file_ids: await uploadAll(IMAGE), model: 'any' });
    expect(at(image.answer.body, 'model')).toBe(SEEING);
    const both = await ask({ file_ids: await uploadAll(IMAGE, REPORT), model: 'any' });
    expect(at(both.answer.body, 'model')).toBe(SEEING);
    const text = await ask({ file_ids: await uploadAll(NOTE), model: 'any' });
    expect(at(text.answer.body, 'model')).toBe('demo/echo');
  });

  it.each([
    ['demo/echo', 'images'],
    [BLIND, 'images'],
    ['none', 'images'],
  ])('refuses %s for %s', async (model, what) => {
    const answer = await refuse({ file_ids: await uploadAll(IMAGE), model });
    expect(reasonOf(answer)).toEqual({
      status: 400,
      code: 'invalid_request',
      param: 'file_ids',
      message: `file_ids: the model '${model}' does not support ${what}; use another model, or omit the files.`,
    });
  });

  it('includes models of unknown capabilities, and returns the provider’s refusal', async () => {
    provider.script({ kind: 'error', status: 400, message: 'This model does not support images.' });
    const file_ids = await uploadAll(IMAGE);
    const answer = await user.request('POST', '/api/v1/chat', { message: 'Hi', file_ids });
    expect(reasonOf(answer)).toMatchObject({ status: 400, code: 'provider_rejected' });
    expect(String(reasonOf(answer).message)).toContain('This model does not support images.');
  });

  it('includes an Ollama model if its server fails to report the capabilities', async () => {
    provider.scriptFor('models', { kind: 'error', status: 500 });
    // A separate model, because the capabilities of models in other tests are cached.
    const { sent } = await ask({ file_ids: await uploadAll(IMAGE), model: 'ollama/unasked' });
    expect(at(sent[0], 'images')).toEqual([PNG.toString('base64')]);
  });
});

describe('a question is refused and not stored', () => {
  it('with a file of another account or an unknown file', async () => {
    const [mine = ''] = await uploadAll(NOTE);
    const stranger = await registerUser(api.url);
    for (const [by, id] of [
      [stranger, mine],
      [user, NOBODY],
    ] as const) {
      expect(reasonOf(await refuse({ file_ids: [id] }, by))).toMatchObject({
        status: 404,
        code: 'not_found',
        message: `There is no file '${id}'.`,
      });
    }
  });

  it.each<[what: string, files: TestFile[], message: string]>([
    [
      'with a file of an unsupported type',
      [{ name: 'a.zip', bytes: Buffer.from([80, 75, 3, 4, 0]) }],
      `file_ids: 'a.zip' is not an image, a PDF, a DOCX document or a text file, so it cannot be sent to a model.`,
    ],
    [
      'with files that are too large together',
      [1, 2].map((byte) => ({
        name: 'a.png',
        bytes: Buffer.concat([PNG, Buffer.alloc(10 * 2 ** 20, byte)]),
      })),
      'file_ids: the files of a message must not exceed 20 MB in total.',
    ],
  ])('%s', async (_what, files, message) => {
    const answer = await refuse({ file_ids: await uploadAll(...files) });
    expect(reasonOf(answer)).toEqual({ status: 400, code: 'invalid_request', param: 'file_ids', message });
  });

  it.each<[what: string, file_ids: unknown]>([
    [
      'with more than ten files',
      Array.from({ length: 11 }, (_, index) => NOBODY.replace(/..$/, String(10 + index))),
    ],
    ['with a duplicate id', [NOBODY, NOBODY.toUpperCase()]],
    ['with an invalid id', ['note.md']],
    ['with a string instead of an array', NOBODY],
    ['with an array of 100,000 numbers', Array.from({ length: 100_000 }, () => 1)],
  ])('%s', async (_what, file_ids) => {
    expect(reasonOf(await refuse({ file_ids }))).toMatchObject({
      status: 400,
      param: 'file_ids',
      message: 'file_ids must be an array of at most 10 distinct file ids.',
    });
  });

  it('with files that exceed the account’s token rate limit', async () => {
    // The limit suffices for the question and its answer, but not for the image.
    const limited = await startApi(settings({ RATE_LIMIT_TPM: '2000' }));
    try {
      const account = await registerUser(limited.url);
      const id = await uploadedId(limited.url, account, IMAGE);
      const answer = await account.request('POST', '/api/v1/chat', { message: 'Hi', file_ids: [id] });
      expect(reasonOf(answer)).toMatchObject({ status: 429, code: 'rate_limit_exceeded' });
      expect(await query(limited.database, 'SELECT id FROM messages')).toEqual([]);
      expect((await account.request('POST', '/api/v1/chat', { message: 'Hi' })).status).toBe(200);
    } finally {
      await limited.close();
    }
  });

  it.each(['COMMIT', 'ROLLBACK'])(
    'with a file whose concurrent deletion commits, and accepted if it rolls back: %s',
    async (end) => {
      const [id = ''] = await uploadAll(NOTE);
      const deletion = new pg.Client({ connectionString: api.database.url });
      await deletion.connect();
      try {
        await deletion.query('BEGIN');
        await deletion.query('DELETE FROM files WHERE id = $1', [id]);
        const answer = user.request('POST', '/api/v1/chat', { message: 'Hi', file_ids: [id] });
        await until('the turn to wait', async () => {
          const waiting = await query(
            api.database,
            `SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`,
          );
          return waiting.length > 0;
        });
        await deletion.query(end);
        const { status } = await answer;
        const attached = await query(api.database, 'SELECT 1 FROM attachments WHERE file_id = $1', [id]);
        expect([status, attached.length]).toEqual(end === 'COMMIT' ? [404, 0] : [200, 1]);
      } finally {
        await deletion.end();
      }
      if (end === 'COMMIT') expect(provider.requests.filter(({ route }) => route === 'chat')).toEqual([]);
    },
  );
});
