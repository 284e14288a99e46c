// Real components: the API on a socket with its jobs, PostgreSQL, Redis if the run provides one, the store of the run (a
// folder, or S3), and the processes that extract texts.
import { randomUUID } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import PDFDocument from 'pdfkit';
import { idOf } from '../../../../support/accounts.js';
import { at, registerUser } from '../../../../support/client.js';
import { ManualClock } from '../../../../support/clock.js';
import { DOCUMENT_SAMPLES, itWithSamples, readSample } from '../../../../support/document-samples.js';
import { setUpFileStore } from '../../../../support/file-store.js';
import { upload, uploadedId } from '../../../../support/files.js';
import { getText, makePending, pageTexts, textRows, untilExtracted } from '../../../../support/file-texts.js';
import { setUpApi, setUpUser } from '../../../../support/set-up.js';
import { query, until } from '../../../../support/stored.js';

const clock = new ManualClock();
const store = setUpFileStore();
const api = setUpApi(() => ({ ...store().settings, EXTRACTION_MAX_PAGES: '10' }), undefined, clock);
const user = setUpUser(api);

/** Creates a PDF; a page without text is an empty one. */
async function pdfOf(
  pages: readonly string[],
  options: PDFKit.PDFDocumentOptions = {},
): Promise<Buffer<ArrayBuffer>> {
  const document = new PDFDocument({ autoFirstPage: false, ...options });
  const pieces: Buffer[] = [];
  document.on('data', (piece: Buffer) => pieces.push(piece));
  const ended = new Promise((resolve) => document.once('end', resolve));
  for (const text of pages) document.addPage().text(text);
  document.end();
  await ended;
  return Buffer.concat(pieces);
}

describe('the text of a file', () => {
  it('is ready soon after the upload, page by page with its warnings', async () => {
    const bytes = await pdfOf(['First page', '', 'Third page']);
    const { body: uploaded } = await upload(api.url, user, { name: 'a.pdf', type: 'application/pdf', bytes });
    const id = String(at(uploaded, 'id'));
    expect(at(uploaded, 'text_status')).toBe('pending');
    const { status, body } = await untilExtracted(user, id);
    expect([status, body]).toEqual([
      200,
      {
        page_count: 3,
        warnings: [{ code: 'no_text_layer', pages: [2] }],
        pages: [
          { page: 1, text: 'First page', warnings: [] },
          { page: 2, text: '', warnings: ['no_text_layer'] },
          { page: 3, text: 'Third page', warnings: [] },
        ],
      },
    ]);
    const second = await getText(user, id, 3);
    expect(second.body).toEqual({
      page_count: 3,
      warnings: [],
      pages: [{ page: 3, text: 'Third page', warnings: [] }],
    });
    const { body: file } = await user.request('GET', `/api/v1/files/${id}`);
    expect([at(file, 'text_status'), at(file, 'text_error')]).toEqual(['ready', null]);
  });

  it('is extracted once for equal bytes, and gone with the last file that has them', async () => {
    const owner = await registerUser(api.url);
    const first = await uploadedId(api.url, owner, { bytes: 'Shared text' });
    await untilExtracted(owner, first);
    const second = await uploadedId(api.url, owner, { bytes: 'Shared text' });
    expect(pageTexts(await getText(owner, second))).toEqual(['Shared text']);
    expect(await textRows(api, await idOf(owner))).toMatchObject([
      { status: 'ready', attempts: 1, pages: 1 },
    ]);
    for (const id of [first, second]) await owner.request('DELETE', `/api/v1/files/${id}`);
    expect(await textRows(api, await idOf(owner))).toEqual([]);
    expect(
      await query(api.database, 'SELECT 1 FROM file_pages WHERE user_id = $1', [await idOf(owner)]),
    ).toEqual([]);
  });

  it.each([
    ['encrypted', () => pdfOf(['Secret'], { userPassword: 'open' }), 'application/pdf'],
    ['no_text_layer', () => pdfOf(['', '']), 'application/pdf'],
    ['damaged', () => Promise.resolve(Buffer.from('%PDF-1.7\nnothing else')), 'application/pdf'],
    ['too_many_pages', () => pdfOf(Array.from({ length: 11 }, () => 'page')), 'application/pdf'],
    ['empty', () => Promise.resolve(Buffer.from(' \n\t\n')), 'text/plain'],
    ['unsupported_type', () => Promise.resolve(Buffer.from([0, 1, 2, 3, 255])), 'application/octet-stream'],
  ] as const)('that is %s is refused with that code and a sentence', async (code, makeBytes, type) => {
    const id = await uploadedId(api.url, user, { type, bytes: await makeBytes() });
    const { status, body } = await untilExtracted(user, id);
    expect([status, at(body, 'error', 'code')]).toEqual([422, code]);
    const { body: file } = await user.request('GET', `/api/v1/files/${id}`);
    expect([at(file, 'text_status'), at(file, 'text_error', 'code')]).toEqual(['failed', code]);
    expect(at(file, 'text_error', 'message')).toBe(at(body, 'error', 'message'));
  });

  itWithSamples.each(DOCUMENT_SAMPLES)('of $file is extracted from the store', async (sample) => {
    // The type is detected from the bytes.
    const id = await uploadedId(api.url, user, { type: 'application/pdf', bytes: readSample(sample) });
    const text = await untilExtracted(user, id);
    if (typeof sample.expected === 'string') expect(at(text.body, 'error', 'code')).toBe(sample.expected);
    else for (const phrase of sample.expected) expect(pageTexts(text).join('\n')).toContain(phrase);
  });

  it('larger than the limit of characters is refused as too_large', async () => {
    const bytes = 'Word '.repeat(4_100_000);
    const id = await uploadedId(api.url, user, { bytes });
    const { status, body } = await untilExtracted(user, id);
    expect([status, at(body, 'error', 'code')]).toEqual([422, 'too_large']);
  });

  it('is not_ready with Retry-After while another process extracts it', async () => {
    const owner = await registerUser(api.url);
    const id = await uploadedId(api.url, owner);
    await untilExtracted(owner, id);
    await makePending(api, await idOf(owner), 'leased');
    const { status, headers, body } = await getText(owner, id);
    expect([status, at(body, 'error', 'code'), headers.get('retry-after')]).toEqual([409, 'not_ready', '2']);
  });

  it.each([
    ['an analysis', '/api/v1/analyze/pdf', (file_id: string) => ({ file_id })],
    ['a turn', '/api/v1/chat', (file_id: string) => ({ message: 'Hi', file_ids: [file_id] })],
    [
      'a chat completion',
      '/v1/chat/completions',
      (file_id: string) => ({
        model: 'demo/echo',
        messages: [{ role: 'user', content: [{ type: 'file', file: { file_id } }] }],
      }),
    ],
  ])(
    'is waited for by %s up to 30 seconds, then it is not_ready with Retry-After',
    async (_what, route, bodyOf) => {
      const owner = await registerUser(api.url);
      const file_id = await uploadedId(api.url, owner, { bytes: await pdfOf(['Hello']) });
      await untilExtracted(owner, file_id);
      await makePending(api, await idOf(owner), 'leased');
      clock.reset();
      const answer = owner.request('POST', route, bodyOf(file_id));
      await until('some looks at the text', () => clock.waits.length > 8);
      expect(Math.max(...clock.waits)).toBe(500);
      clock.advance(30_000);
      const { status, headers, body } = await answer;
      expect([status, at(body, 'error', 'code'), headers.get('retry-after')]).toEqual([
        409,
        'not_ready',
        '2',
      ]);
    },
  );

  it('whose announcement is lost is found by the sweep', async () => {
    const owner = await registerUser(api.url);
    const userId = await idOf(owner);
    await untilExtracted(owner, await uploadedId(api.url, owner));
    await makePending(api, userId, 'due');
    // Looks at the row only: a request for the text would announce it.
    await until('the text', async () =>
      (await textRows(api, userId)).some(({ status }) => status === 'ready'),
    );
  });

  it.each([
    ['timeout', 200],
    ['too_large', 200],
    ['encrypted', 422],
  ])('that failed as %s is, after an upload of the same bytes, a %i', async (error, status) => {
    const owner = await registerUser(api.url);
    const userId = await idOf(owner);
    await untilExtracted(owner, await uploadedId(api.url, owner));
    await query(api.database, 'DELETE FROM file_pages WHERE user_id = $1', [userId]);
    await query(api.database, "UPDATE file_texts SET status = 'failed', error = $2 WHERE user_id = $1", [
      userId,
      error,
    ]);
    expect((await untilExtracted(owner, await uploadedId(api.url, owner))).status).toBe(status);
  });

  it('does not exist for others, for unknown files, for expired files and for pages after the last', async () => {
    const other = await registerUser(api.url);
    const id = await uploadedId(api.url, user, { bytes: 'Mine alone' });
    await untilExtracted(user, id);
    expect((await getText(other, id)).status).toBe(404);
    expect((await getText(user, randomUUID())).status).toBe(404);
    expect((await getText(user, id, 2)).status).toBe(404);
    expect((await getText(user, id, 0)).status).toBe(400);
    await query(api.database, 'UPDATE files SET expires_at = now() WHERE id = $1', [id]);
    expect((await getText(user, id)).status).toBe(404);
  });

  it('of many characters, on one page, comes back unchanged', async () => {
    // Characters of one to four bytes, over the borders of the parts in which it is read.
    const text = 'aé漢😀"\\\n'.repeat(700_000);
    const id = await uploadedId(api.url, user, { bytes: text });
    const response = await untilExtracted(user, id);
    expect(pageTexts(response)[0] === text).toBe(true);
  });

  it('of a file of an earlier version is extracted when it is asked for', async () => {
    const owner = await registerUser(api.url);
    const id = await uploadedId(api.url, owner, { bytes: 'Old but good' });
    await untilExtracted(owner, id);
    // A row of an earlier version has no content and no format. Its bytes have its own id.
    await query(api.database, 'DELETE FROM file_texts WHERE user_id = $1', [await idOf(owner)]);
    expect((await getText(owner, id)).status).toBe(409);
    expect(pageTexts(await untilExtracted(owner, id))).toEqual(['Old but good']);
  });
});
