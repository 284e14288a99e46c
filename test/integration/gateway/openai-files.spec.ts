// Real components: the official OpenAI client, the API on a socket, PostgreSQL, the file directory and the provider's
// protocol.
import { randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from '@jest/globals';
import OpenAI, { toFile } from 'openai';
import { idOf } from '../../support/accounts.js';
import { at, listAt, registerUser, send } from '../../support/client.js';
import { PNG, uploadedId } from '../../support/files.js';
import { makePdf } from '../../support/pdf.js';
import { setUpApi, setUpProvider, setUpResource, setUpUser } from '../../support/set-up.js';
import { query, until } from '../../support/stored.js';

const MODEL = 'openai/test-model';
const MEGABYTE = 2 ** 20;
const CLAUDE = 'anthropic/claude-sonnet-4-6';
const PDF = await makePdf(['All is well.']);
const REPORT_PART = { type: 'text', text: 'File: report.pdf\n\nAll is well.\n\n' };
const NOBODY = 'file-0199a3f05b7e7cc39d3a2f6f1c0e9a11';

const dataDir = setUpResource(async () => {
  const path = await mkdtemp(join(tmpdir(), 'parley-openai-files-'));
  return { resource: path, close: () => rm(path, { recursive: true }) };
});
const provider = setUpProvider();
const api = setUpApi(() => ({
  DATA_DIR: dataDir(),
  OPENAI_BASE_URL: provider.baseUrl,
  ANTHROPIC_BASE_URL: provider.anthropicBaseUrl,
  DEFAULT_MODEL: MODEL,
  LLM_MAX_RETRIES: '0',
  MAX_UPLOAD_MB: '1',
  BATCH_MAX_INPUT_MB: '3',
}));
const user = setUpUser(api);
const stranger = setUpUser(api);
let client: OpenAI;
let other: OpenAI;

function clientOf(token: string): OpenAI {
  return new OpenAI({ baseURL: `${api.url}/v1`, apiKey: token, logLevel: 'off', maxRetries: 0 });
}

beforeAll(() => {
  client = clientOf(user.token);
  other = clientOf(stranger.token);
});

/** Sends a form with a file and fields to OpenAI's route. */
async function sendForm(form: FormData, headers: Readonly<Record<string, string>> = {}) {
  const response = await fetch(`${api.url}/v1/files`, {
    method: 'POST',
    headers: { authorization: `Bearer ${user.token}`, ...headers },
    body: form,
  });
  const body: unknown = await response.json();
  return { status: response.status, headers: response.headers, body };
}

async function setText(id: string, set: string): Promise<void> {
  const uuid = id.replace('file-', '');
  const sql = `UPDATE file_texts SET ${set} FROM files
    WHERE files.id = $1::uuid AND file_texts.content_id = files.content_id`;
  await query(api.database, sql, [uuid]);
}

/** Returns the messages of the next request that reaches the model. */
async function messagesSentBy(work: () => Promise<unknown>): Promise<unknown[]> {
  provider.script({ kind: 'answer', text: 'fine' });
  const asked = provider.nextRequest('chat');
  await work();
  return listAt((await asked).body, 'messages');
}

describe('the OpenAI client', () => {
  it('uploads from a buffer, a stream and a response, and reads the bytes back', async () => {
    const path = join(dataDir(), 'input.jsonl');
    const bytes = Buffer.from('{"custom_id":"1"}\n');
    await writeFile(path, bytes);
    const sources = [
      await toFile(bytes, 'input.jsonl'),
      createReadStream(path),
      new File([bytes], 'input.jsonl', { type: 'application/jsonl' }),
      await toFile(new Response(bytes), 'input.jsonl'),
    ];
    for (const file of sources) {
      const created = await client.files.create({ file, purpose: 'batch' });
      expect(created).toEqual({
        id: expect.stringMatching(/^file-[0-9a-f]{32}$/) as unknown,
        object: 'file',
        bytes: bytes.length,
        created_at: expect.any(Number) as unknown,
        filename: 'input.jsonl',
        purpose: 'batch',
        status: 'processed',
      });
      expect(Math.abs(created.created_at - Date.now() / 1000)).toBeLessThan(60);
      // Its text may have been extracted since.
      const status: unknown = expect.any(String);
      expect(await client.files.retrieve(created.id)).toEqual({ ...created, status });
      const content = await client.files.content(created.id);
      expect(Buffer.from(await content.arrayBuffer()).equals(bytes)).toBe(true);
      const part = await client.files.content(created.id, { headers: { Range: 'bytes=0-3' } });
      expect([part.status, await part.text()]).toEqual([206, '{"cu']);
    }
  });

  it('sets a lifetime', async () => {
    const created = await client.files.create({
      file: await toFile(Buffer.from('x'), 'x.txt'),
      purpose: 'user_data',
      expires_after: { anchor: 'created_at', seconds: 7200 },
    });
    expect(created.expires_at).toBe(created.created_at + 7200);
  });

  it('lists files page by page, in both orders and by purpose', async () => {
    const owner = await registerUser(api.url);
    const own = clientOf(owner.token);
    const ids: string[] = [];
    for (const purpose of ['batch', 'vision', 'batch', 'assistants', 'user_data'] as const) {
      const { id } = await own.files.create({ file: await toFile(Buffer.from(purpose), 'a'), purpose });
      ids.push(id);
    }
    const idsOf = async (query: OpenAI.FileListParams) =>
      (await Array.fromAsync(own.files.list(query))).map(({ id }) => id);
    expect(await idsOf({})).toEqual(ids.toReversed());
    expect(await idsOf({ limit: 2 })).toEqual(ids.toReversed());
    expect(await idsOf({ limit: 2, order: 'asc' })).toEqual(ids);
    expect(await idsOf({ purpose: 'batch' })).toEqual([ids[2], ids[0]]);
    expect(await idsOf({ purpose: 'evals' })).toEqual([]);
    const page = await own.files.list({ limit: 2, after: ids[3] ?? '' });
    expect([page.data.map(({ id }) => id), page.has_more]).toEqual([[ids[2], ids[1]], true]);
    for (const bad of ['limit=0', 'limit=10001', 'order=up', 'after=x', 'purpose[]=1', 'purpose=%00'])
      expect((await owner.request('GET', `/v1/files?${bad}`)).status).toBe(400);
  });

  it('waits until the text of a file is extracted, or learns why it is not', async () => {
    const bytes = await makePdf(['Equal bytes share their text, so these are like no others.']);
    const created = await client.files.create({ file: await toFile(bytes, 'a.pdf'), purpose: 'user_data' });
    // From now on nothing extracts it, and a result that is on its way does not count.
    await setText(created.id, `status = 'pending', error = NULL, lease_id = NULL, due_at = 'infinity'`);
    const waiting = client.files.waitForProcessing(created.id, { pollInterval: 20, maxWait: 60_000 });
    expect(await client.files.retrieve(created.id)).toMatchObject({ status: 'uploaded' });
    await setText(created.id, `status = 'ready', due_at = NULL`);
    expect(await waiting).toMatchObject({ status: 'processed' });
    await setText(created.id, `status = 'failed', error = 'encrypted'`);
    expect(await client.files.waitForProcessing(created.id)).toMatchObject({
      status: 'error',
      status_details: expect.stringContaining('password') as unknown,
    });
    const image = await client.files.create({ file: await toFile(PNG, 'a.png'), purpose: 'vision' });
    expect(image).toMatchObject({ status: 'processed' });
  });

  it('deletes a file, on both routes and with its bytes', async () => {
    const owner = await registerUser(api.url);
    const own = clientOf(owner.token);
    const { id } = await own.files.create({ file: await toFile(Buffer.from('x'), 'x'), purpose: 'batch' });
    expect(await own.files.delete(id)).toEqual({ id, object: 'file', deleted: true });
    await expect(own.files.retrieve(id)).rejects.toBeInstanceOf(OpenAI.NotFoundError);
    expect(await readdir(join(dataDir(), 'files', await idOf(owner)))).toEqual([]);
    const native = await uploadedId(api.url, owner);
    expect((await own.files.retrieve(native)).id).toBe(`file-${native.replaceAll('-', '')}`);
    expect((await own.files.delete(native)).deleted).toBe(true);
    expect((await owner.request('GET', `/api/v1/files/${native}`)).status).toBe(404);
  });

  it('gets the same 404 for files of other accounts, unknown ones and malformed ids', async () => {
    const { id } = await client.files.create({ file: await toFile(PDF, 'a.pdf'), purpose: 'user_data' });
    for (const bad of [id, NOBODY, 'file-abc', 'x', '..%2f..', `${id}0`, 'file-']) {
      const calls = [
        () => other.files.retrieve(bad),
        () => other.files.content(bad),
        () => other.files.delete(bad),
      ];
      for (const call of calls)
        await expect(call()).rejects.toMatchObject({ status: 404, code: 'not_found' });
    }
    expect((await client.files.retrieve(id)).id).toBe(id);
  });
});

describe('an upload to OpenAI’s route', () => {
  const file = (bytes: string | Uint8Array<ArrayBuffer> = 'x') => new File([bytes], 'a.jsonl');

  it('requires one of the known purposes, and ignores fields it does not know', async () => {
    for (const purpose of [undefined, 'fine-tune', '']) {
      const form = new FormData();
      form.append('file', file());
      if (purpose !== undefined) form.append('purpose', purpose);
      const { status, body } = await sendForm(form);
      expect([status, at(body, 'error', 'param')]).toEqual([400, 'purpose']);
      expect(at(body, 'error', 'message')).toContain('user_data, assistants, batch, vision');
    }
    const form = new FormData();
    form.append('color', 'red');
    form.append('file', file());
    form.append('purpose', 'batch');
    form.append('size', 'large');
    expect((await sendForm(form)).status).toBe(200);
  });

  it('allows batch files a size of their own, whatever the order of the parts', async () => {
    const sized = async (megabytes: number, purpose: string, order: 'first' | 'last') => {
      const form = new FormData();
      if (order === 'last') form.append('purpose', purpose);
      form.append('file', file(Buffer.alloc(megabytes * MEGABYTE, 'a')));
      if (order === 'first') form.append('purpose', purpose);
      return (await sendForm(form)).status;
    };
    for (const order of ['first', 'last'] as const) {
      expect(await sized(3, 'batch', order)).toBe(200);
      expect(await sized(2, 'user_data', order)).toBe(413);
      expect(await sized(4, 'batch', order)).toBe(413);
    }
    await until('the refused bytes to be deleted', async () => {
      const contents = await query(api.database, 'SELECT 1 FROM file_contents WHERE user_id = $1', [
        await idOf(user),
      ]);
      return (await readdir(join(dataDir(), 'files', await idOf(user)))).length === contents.length;
    });
  });

  it('returns the same file for the same Idempotency-Key, which does not count on the native route', async () => {
    const form = new FormData();
    form.append('file', file());
    form.append('purpose', 'batch');
    const headers = { 'idempotency-key': 'openai-1' };
    const first = await sendForm(form, headers);
    const second = await sendForm(form, headers);
    expect(second.body).toEqual(first.body);
    expect(second.headers.get('idempotent-replayed')).toBe('true');
    const { status } = await send(`${api.url}/v1/files`, {
      method: 'POST',
      headers: { authorization: `Bearer ${user.token}` },
      body: {},
    });
    expect(status).toBe(415);
  });
});

describe('a file_id in a chat completion', () => {
  const ask = (file_id: string): OpenAI.Chat.ChatCompletionMessageParam => ({
    role: 'user',
    content: [
      { type: 'text', text: 'What is it?' },
      { type: 'file', file: { file_id } },
    ],
  });

  it('is sent as its text to a model that is not known to read PDFs, by OpenAI’s id and by the UUID, streamed or not', async () => {
    const native = await uploadedId(api.url, user, { name: 'report.pdf', bytes: PDF });
    for (const id of [native, `file-${native.replaceAll('-', '')}`]) {
      const messages = [ask(id)];
      const content = [{ type: 'text', text: 'What is it?' }, REPORT_PART];
      const whole = () => client.chat.completions.create({ model: MODEL, messages });
      expect(await messagesSentBy(whole)).toEqual([{ role: 'user', content }]);
      const streamed = async () =>
        Array.fromAsync(await client.chat.completions.create({ model: MODEL, messages, stream: true }));
      expect(await messagesSentBy(streamed)).toEqual([{ role: 'user', content }]);
    }
  });

  it('is sent as the document to a model that reads PDFs', async () => {
    const id = await uploadedId(api.url, user, { name: 'report.pdf', bytes: PDF });
    const sent = await messagesSentBy(() =>
      client.chat.completions.create({ model: CLAUDE, messages: [ask(id)] }),
    );
    expect(at(sent, 0, 'content', 1, 'source', 'data')).toBe(PDF.toString('base64'));
  });

  it('that a request repeats is sent once, however it is written', async () => {
    const id = await uploadedId(api.url, user, { name: 'report.pdf', bytes: PDF });
    const repeated = [id, `file-${id.replaceAll('-', '')}`, id.toUpperCase()].map(ask);
    const sent = await messagesSentBy(() =>
      client.chat.completions.create({ model: MODEL, messages: repeated }),
    );
    const parts = sent.map((message) => at(message, 'content', 1));
    const again = { type: 'text', text: '[The file "report.pdf" is attached above.]\n\n' };
    expect(parts).toEqual([REPORT_PART, again, again]);
  });

  it('is refused in a request with more than ten different ones', async () => {
    const ids = Array.from({ length: 11 }, () => `file-${randomUUID().replaceAll('-', '')}`);
    const call = client.chat.completions.create({ model: MODEL, messages: ids.map(ask) });
    await expect(call).rejects.toMatchObject({ status: 400, param: 'messages' });
  });

  it('is an attachment of the message in a conversation', async () => {
    const id = await uploadedId(api.url, user, { name: 'report.pdf', bytes: PDF });
    const headers = { 'X-Conversation-ID': 'new' };
    const sent = await messagesSentBy(() =>
      client.chat.completions.create(
        { model: MODEL, messages: [ask(`file-${id.replaceAll('-', '')}`)] },
        { headers },
      ),
    );
    expect(sent).toEqual([{ role: 'user', content: [REPORT_PART, { type: 'text', text: 'What is it?' }] }]);
  });

  it.each(['stateless', 'with a conversation'])(
    'of another account, an unknown or a malformed one is a 404, %s',
    async (how) => {
      const foreign = await uploadedId(api.url, stranger, { name: 'report.pdf', bytes: PDF });
      const headers = how === 'stateless' ? {} : { 'X-Conversation-ID': 'new' };
      const before = provider.requests.length;
      for (const id of [foreign, NOBODY, 'file-1']) {
        const call = client.chat.completions.create({ model: MODEL, messages: [ask(id)] }, { headers });
        await expect(call).rejects.toMatchObject({ status: 404, code: 'not_found' });
      }
      expect(provider.requests.length).toBe(before);
    },
  );

  it('is refused for images of more than 20 MB in total, and for a file that no model reads', async () => {
    const owner = await registerUser(api.url);
    const own = clientOf(owner.token);
    const ids: string[] = [];
    for (let index = 0; index < 7; index += 1) {
      const bytes = Buffer.concat([PNG, Buffer.alloc(3 * MEGABYTE - PNG.length, index)]);
      const { id } = await own.files.create({ file: await toFile(bytes, 'a.png'), purpose: 'batch' });
      ids.push(id);
    }
    const content = ids.map((file_id) => ({ type: 'file' as const, file: { file_id } }));
    const large = own.chat.completions.create({ model: MODEL, messages: [{ role: 'user', content }] });
    await expect(large).rejects.toMatchObject({ status: 400, param: 'messages' });
    const binary = await uploadedId(api.url, owner, { bytes: Buffer.from([1, 0, 2]) });
    const unread = own.chat.completions.create({ model: MODEL, messages: [ask(binary)] });
    await expect(unread).rejects.toMatchObject({ status: 400, param: 'messages' });
  });
});
