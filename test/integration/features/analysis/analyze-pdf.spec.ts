// Real components: the API on a socket, PostgreSQL, the file folder, the processes that extract text, and the protocols
// of two providers. The requests that reach the provider show what a model gets of a document.
import { beforeAll, describe, expect, it } from '@jest/globals';
import { idsIn, nextEvent, rejoin, stop } from '../../../support/answers.js';
import {
  type ApiResponse,
  at,
  collect,
  eventsIn,
  listAt,
  registerUser,
  send,
  type TestUser,
  textOf,
} from '../../../support/client.js';
import { PNG, uploadedId } from '../../../support/files.js';
import { makePdf } from '../../../support/pdf.js';
import { setUpApi, setUpProvider, setUpUser } from '../../../support/set-up.js';
import { query } from '../../../support/stored.js';

const CLAUDE = 'anthropic/claude-sonnet-4-6';
const OPENAI = 'openai/test-model';
const ROUTE = '/api/v1/analyze/pdf';
const NOBODY = '0199a3f0-5b7e-7cc3-9d3a-2f6f1c0e9a11';
const PAGES = ['The harbor opens at seven.', 'The ferry leaves at nine.', 'Dogs travel free.'];

const provider = setUpProvider();
const api = setUpApi(() => ({
  OPENAI_BASE_URL: provider.baseUrl,
  ANTHROPIC_BASE_URL: provider.anthropicBaseUrl,
  DEFAULT_MODEL: 'demo/echo',
  LLM_MAX_RETRIES: '0',
  CONTEXT_MAX_TOKENS: '2000',
}));
const user = setUpUser(api);

let pdf: Buffer<ArrayBuffer>;
/** A document that does not fit in the context. */
let longPdf: Buffer<ArrayBuffer>;

beforeAll(async () => {
  pdf = await makePdf(PAGES);
  longPdf = await makePdf(
    Array.from({ length: 12 }, (_, page) => `Chapter ${page + 1}. ${'A calm sea. '.repeat(80)}`),
  );
});

interface Part {
  readonly name: string;
  readonly value: string | Uint8Array<ArrayBuffer>;
  /** Name of a file part. */
  readonly file?: string;
  readonly type?: string;
}

/** Sends a form with parts in this order. */
async function sendForm(
  parts: readonly Part[],
  by: TestUser = user,
  headers: Readonly<Record<string, string>> = {},
): Promise<ApiResponse> {
  const form = new FormData();
  for (const { name, value, file, type = 'application/pdf' } of parts) {
    if (file === undefined) form.append(name, String(value));
    else form.append(name, new Blob([value], { type }), file);
  }
  const response = await fetch(api.url + ROUTE, {
    method: 'POST',
    headers: { authorization: `Bearer ${by.token}`, ...headers },
    body: form,
  });
  const text = await response.text();
  const isJson = response.headers.get('content-type')?.startsWith('application/json') === true;
  const body: unknown = isJson ? JSON.parse(text) : text;
  return { status: response.status, headers: response.headers, body };
}

/** Asks about a document in a form; returns the events of the answer. */
async function ask(fields: Readonly<Record<string, string>>, bytes = pdf): Promise<unknown[]> {
  const parts = Object.entries(fields).map(([name, value]) => ({ name, value }));
  const answer = await sendForm([{ name: 'file', value: bytes, file: 'harbor.pdf' }, ...parts]);
  if (answer.status !== 200)
    throw new Error(`The analysis answered ${answer.status}: ${JSON.stringify(answer.body)}`);
  return eventsIn(answer.body).map(({ data }) => data);
}

/** Returns the messages of the last request that reached the provider. */
function lastSentMessages(): unknown[] {
  const last = provider.requests.findLast(({ route }) => route === 'chat');
  return last === undefined ? [] : listAt(last.body, 'messages');
}

function reasonOf({ status, body }: ApiResponse) {
  const { code, param } = Object(at(body, 'error')) as Record<string, unknown>;
  return { status, code, param };
}

async function fileIds(by: TestUser): Promise<unknown[]> {
  return listAt((await by.request('GET', '/api/v1/files')).body, 'data').map((file) => at(file, 'id'));
}

describe('a question about a PDF', () => {
  it('is answered by the demo model with the first lines of the text, so that the route can be tried without a key', async () => {
    const [first, ...events] = await ask({ question: 'When does the ferry leave?' });
    expect(first).toEqual({
      delta: '',
      conversation_id: expect.any(String),
      message_id: expect.any(String),
      finished: false,
      omitted_pages: [],
    });
    const text = textOf(events);
    for (const page of PAGES) expect(text).toContain(page);
    expect(text).toContain('You wrote: When does the ferry leave?');
    expect(events.at(-2)).toMatchObject({ finished: true, finish_reason: 'stop', model: 'demo/echo' });
    expect(events.at(-1)).toBe('[DONE]');
  });

  it.each([
    ['before', ['question', 'model', 'file']],
    ['after', ['file', 'model', 'question']],
    ['around', ['model', 'file', 'question']],
  ])('is accepted with its fields %s the file', async (_where, order) => {
    const parts: Record<string, Part> = {
      question: { name: 'question', value: 'How much for a dog?' },
      model: { name: 'model', value: OPENAI },
      file: { name: 'file', value: pdf, file: 'harbor.pdf' },
    };
    const answer = await sendForm(order.flatMap((name) => parts[name] ?? []));
    expect(answer.status).toBe(200);
    expect(at(lastSentMessages()[0], 'content', 1, 'text')).toBe('How much for a dog?');
  });

  it('gives a model that reads no PDFs the text with page numbers', async () => {
    await ask({ question: 'What about dogs?', model: OPENAI });
    const text = `File: harbor.pdf\n\n${PAGES.map((page, index) => `[Page ${index + 1}]\n${page}\n\n`).join('')}`;
    expect(lastSentMessages()).toEqual([
      {
        role: 'user',
        content: [
          { type: 'text', text },
          { type: 'text', text: 'What about dogs?' },
        ],
      },
    ]);
  });

  it('gives a model that reads PDFs the document', async () => {
    const [first] = await ask({ model: CLAUDE });
    expect(at(first, 'omitted_pages')).toEqual([]);
    expect(at(lastSentMessages()[0], 'content', 0)).toEqual({
      type: 'document',
      title: 'harbor.pdf',
      source: { type: 'base64', media_type: 'application/pdf', data: pdf.toString('base64') },
    });
  });

  it('asks for a summary if the request has no question', async () => {
    await ask({ model: OPENAI });
    expect(at(lastSentMessages()[0], 'content', 1, 'text')).toBe('Summarize this document.');
  });

  it('asks with the defaults for fields of the form that are empty', async () => {
    const names = ['file_id', 'question', 'model', 'stream', 'on_disconnect'];
    const events = await ask(Object.fromEntries(names.map((name) => [name, ''])));
    expect(events.at(-1)).toBe('[DONE]');
  });

  it('can name one of the account’s files, as JSON or in a form', async () => {
    const file_id = await uploadedId(api.url, user, { name: 'a.pdf', type: 'application/pdf', bytes: pdf });
    const events = await collect(user.stream(ROUTE, { file_id, question: 'And dogs?' }));
    expect(textOf(events)).toContain('Dogs travel free.');
    const answer = await sendForm([{ name: 'file_id', value: file_id }]);
    expect(answer.status).toBe(200);
    expect(textOf(eventsIn(answer.body).map(({ data }) => data))).toContain('Dogs travel free.');
  });

  it('is answered as JSON on request', async () => {
    const file_id = await uploadedId(api.url, user, { name: 'a.pdf', bytes: longPdf });
    const answer = await user.request('POST', ROUTE, { file_id, stream: false });
    expect(answer.status).toBe(200);
    expect(at(answer.body, 'message')).toContain('Chapter 1.');
    expect(at(answer.body, 'omitted_pages', 0)).toMatchObject({ file_id, name: 'a.pdf' });
    const form = await sendForm([
      { name: 'stream', value: 'false' },
      { name: 'file', value: pdf, file: 'harbor.pdf' },
    ]);
    expect(at(form.body, 'message')).toContain(PAGES[0]);
  });

  it('begins a conversation, in which the next question goes on with the same document', async () => {
    const [first] = await ask({ question: 'When does it open?', model: OPENAI });
    const { conversationId } = idsIn(first);
    const next = await user.request('POST', '/api/v1/chat', {
      message: 'And dogs?',
      model: OPENAI,
      conversation_id: conversationId,
    });
    expect(next.status).toBe(200);
    const sent = lastSentMessages();
    expect(sent.map((message) => at(message, 'role'))).toEqual(['user', 'assistant', 'user']);
    expect(at(sent[0], 'content', 0, 'text')).toContain('Dogs travel free.');
  });
});

describe('a PDF that does not fit in the context', () => {
  it('is sent as far as it fits, and the first event lists the pages that are left out', async () => {
    const [first] = await ask({ model: OPENAI }, longPdf);
    const pages = listAt(first, 'omitted_pages', 0, 'pages').map(Number);
    expect(pages.at(-1)).toBe(12);
    expect(pages.length).toBeGreaterThan(2);
    expect(pages.length).toBeLessThan(12);
    const text = String(at(lastSentMessages()[0], 'content', 0, 'text'));
    for (let page = 1; page <= 12; page += 1)
      expect([page, text.includes(`Chapter ${page}.`)]).toEqual([page, !pages.includes(page)]);
  });

  it('stays in the context of a later question, whose answer reports what is left out too', async () => {
    const [first] = await ask({ model: OPENAI }, longPdf);
    const later = await user.request('POST', '/api/v1/chat', {
      message: 'And then?',
      model: OPENAI,
      conversation_id: idsIn(first).conversationId,
    });
    expect(at(later.body, 'omitted_pages', 0, 'name')).toBe('harbor.pdf');
    expect(at(lastSentMessages()[0], 'content', 0, 'text')).toContain('Chapter 1.');
  });

  it('has the same list for a client that resumes the stream, and with the stored answer', async () => {
    const [first] = await ask({ model: OPENAI }, longPdf);
    const { conversationId, messageId } = idsIn(first);
    const [again] = await collect(rejoin(api.url, user, messageId));
    expect(at(again, 'omitted_pages')).toEqual(at(first, 'omitted_pages'));
    const messages = await user.request('GET', `/api/v1/conversations/${conversationId}/messages`);
    expect(at(messages.body, 'data', 1, 'omitted_pages')).toEqual(at(first, 'omitted_pages'));
  });
});

describe('a document that is refused', () => {
  it.each<[what: string, bytes: Uint8Array<ArrayBuffer>, name: string]>([
    ['an image with the name and the declared type of a PDF', PNG, 'scan.pdf'],
    ['a text', Buffer.from('%PDF is a format.'), 'about.pdf'],
  ])('is %s: 415, and nothing is stored', async (_what, bytes, name) => {
    const owner = await registerUser(api.url);
    const answer = await sendForm([{ name: 'file', value: bytes, file: name }], owner);
    expect(reasonOf(answer)).toMatchObject({ status: 415, code: 'unsupported_media_type' });
    expect(await fileIds(owner)).toEqual([]);
    expect(
      await query(
        api.database,
        'SELECT 1 FROM file_contents JOIN users ON users.id = user_id WHERE email = $1',
        [owner.email],
      ),
    ).toEqual([]);
  });

  it('is a stored file that is not a PDF: 415', async () => {
    const file_id = await uploadedId(api.url, user, {
      name: 'note.pdf',
      type: 'application/pdf',
      bytes: 'Hello',
    });
    const answer = await user.request('POST', ROUTE, { file_id });
    expect(reasonOf(answer)).toMatchObject({ status: 415, code: 'unsupported_media_type' });
  });

  it('is one of another account, or unknown: 404', async () => {
    const other = await registerUser(api.url);
    const file_id = await uploadedId(api.url, user, { name: 'a.pdf', bytes: pdf });
    for (const [by, id] of [
      [other, file_id],
      [user, NOBODY],
    ] as const)
      expect(reasonOf(await by.request('POST', ROUTE, { file_id: id }))).toMatchObject({
        status: 404,
        code: 'not_found',
      });
  });

  it.each<[code: string, make: () => Promise<Buffer<ArrayBuffer>>]>([
    ['encrypted', () => makePdf(['Secret'], { password: 'placeholder' })],
    ['no_text_layer', () => makePdf(['', ''])],
    ['damaged', () => Promise.resolve(Buffer.from('%PDF-1.7\nthis is not one'))],
  ])('has no text for the model: 422 %s, and the question is not stored', async (code, make) => {
    const owner = await registerUser(api.url);
    const answer = await sendForm([{ name: 'file', value: await make(), file: 'x.pdf' }], owner);
    expect(reasonOf(answer)).toMatchObject({ status: 422, code });
    expect(await fileIds(owner)).toEqual([]);
    expect(listAt((await owner.request('GET', '/api/v1/conversations')).body, 'data')).toEqual([]);
  });

  it('is not a scanned one for a model that reads PDFs', async () => {
    const scanned = await makePdf(['', '']);
    await ask({ model: CLAUDE }, scanned);
    expect(at(lastSentMessages()[0], 'content', 0, 'source', 'data')).toBe(scanned.toString('base64'));
  });

  it.each<[what: string, parts: Part[], param: string]>([
    ['neither a file nor a file id', [{ name: 'question', value: 'Hi' }], 'file_id'],
    ['an unknown field', [{ name: 'files', value: 'x' }], 'file'],
    ['a blank question', [{ name: 'question', value: ' ' }], 'question'],
    ['an invalid file id', [{ name: 'file_id', value: '../x' }], 'file_id'],
    ['an invalid choice', [{ name: 'stream', value: 'maybe' }], 'stream'],
  ])('comes with %s: 400 that names the field', async (what, parts, param) => {
    const owner = await registerUser(api.url);
    const file = { name: 'file', value: pdf, file: 'a.pdf' };
    const needsFile = param === 'question' || param === 'stream' || what === 'an unknown field';
    const answer = await sendForm(needsFile ? [file, ...parts] : parts, owner);
    expect(reasonOf(answer)).toMatchObject({ status: 400, code: 'invalid_request', param });
    expect(await fileIds(owner)).toEqual([]);
  });

  it('comes with both a file and a file id: 400', async () => {
    const answer = await sendForm([
      { name: 'file', value: pdf, file: 'a.pdf' },
      { name: 'file_id', value: NOBODY },
    ]);
    expect(reasonOf(answer)).toMatchObject({ status: 400, param: 'file_id' });
  });

  it.each<[what: string, part: Part]>([
    ['a blank question', { name: 'question', value: ' ' }],
    ['an invalid choice', { name: 'stream', value: 'maybe' }],
    ['a file id too', { name: 'file_id', value: NOBODY }],
  ])('with %s does not use up the Idempotency-Key', async (_what, part) => {
    const owner = await registerUser(api.url);
    const file = { name: 'file', value: pdf, file: 'a.pdf' };
    const headers = { 'idempotency-key': 'mended' };
    expect((await sendForm([file, part], owner, headers)).status).toBe(400);
    expect(await fileIds(owner)).toEqual([]);
    const mended = await sendForm([file, { name: 'stream', value: 'false' }], owner, headers);
    expect(mended.status).toBe(200);
    expect(mended.headers.get('idempotent-replayed')).toBeNull();
    expect(at(mended.body, 'message')).toContain(PAGES[0]);
  });

  it('comes with an unknown model: 404, and its file is not kept', async () => {
    const owner = await registerUser(api.url);
    const answer = await sendForm(
      [
        { name: 'file', value: pdf, file: 'a.pdf' },
        { name: 'model', value: 'none/such' },
      ],
      owner,
    );
    expect(answer.status).toBe(404);
    expect(await fileIds(owner)).toEqual([]);
  });
});

describe('an analysis is a turn', () => {
  it('with an Idempotency-Key is started once, and sends the same answer again', async () => {
    const owner = await registerUser(api.url);
    const file = { name: 'file', value: pdf, file: 'a.pdf' };
    const headers = { 'idempotency-key': 'harbor' };
    const answers = await Promise.all([sendForm([file], owner, headers), sendForm([file], owner, headers)]);
    const again = await sendForm([file], owner, headers);
    const ids = [...answers, again].map((answer) => answer.headers.get('x-message-id'));
    expect(new Set(ids).size).toBe(1);
    expect(again.headers.get('idempotent-replayed')).toBe('true');
    expect(await fileIds(owner)).toHaveLength(1);
    const other = await sendForm([file, { name: 'question', value: 'Other?' }], owner, headers);
    expect(reasonOf(other)).toMatchObject({ status: 409, code: 'idempotency_key_reused' });
  });

  it('with an Idempotency-Key sends the same answer again after its file is deleted', async () => {
    const owner = await registerUser(api.url);
    const file_id = await uploadedId(api.url, owner, { name: 'a.pdf', bytes: pdf });
    const headers = { authorization: `Bearer ${owner.token}`, 'idempotency-key': 'kept' };
    const analyze = (body: object) => send(api.url + ROUTE, { method: 'POST', headers, body });
    const first = await analyze({ file_id, stream: false });
    expect(first.status).toBe(200);
    expect((await owner.request('DELETE', `/api/v1/files/${file_id}`)).status).toBe(204);
    const again = await analyze({ file_id, stream: false });
    expect([again.status, again.headers.get('idempotent-replayed')]).toEqual([200, 'true']);
    expect(at(again.body, 'message')).toBe(at(first.body, 'message'));
    const other = await analyze({ file_id, stream: false, question: 'Other?' });
    expect(reasonOf(other)).toMatchObject({ status: 409, code: 'idempotency_key_reused' });
  });

  it('is billed, and counts as usage of its account', async () => {
    const owner = await registerUser(api.url);
    const answer = await sendForm(
      [
        { name: 'file', value: pdf, file: 'a.pdf' },
        { name: 'model', value: OPENAI },
      ],
      owner,
    );
    const { messageId } = idsIn(eventsIn(answer.body)[0]?.data);
    const rows = await query(api.database, 'SELECT model FROM usage_records WHERE call_id = $1', [messageId]);
    expect(rows).toEqual([{ model: 'test-model' }]);
  });

  it('can be stopped, which closes the call to the provider', async () => {
    provider.script({ kind: 'drip', chunkMs: 60_000 });
    const file_id = await uploadedId(api.url, user, { name: 'a.pdf', bytes: pdf });
    const events = user.stream(ROUTE, { file_id, model: OPENAI });
    const { messageId } = idsIn((await nextEvent(events)).data);
    expect((await stop(user, messageId)).status).toBe(200);
    const rest = await collect(events);
    expect(rest.at(-2)).toMatchObject({ finish_reason: 'stopped' });
  });

  it('needs credentials', async () => {
    const answer = await send(api.url + ROUTE, { method: 'POST', body: { file_id: NOBODY } });
    expect(reasonOf(answer)).toMatchObject({ status: 401, code: 'unauthorized' });
  });
});
