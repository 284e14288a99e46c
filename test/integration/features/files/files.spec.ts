// Real components: the API on a socket, PostgreSQL and the file directory; aborted uploads use a raw socket.
// A file is followed from its upload to its deletion, with one helper that finds its bytes and one that finds
// its rows.
import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, readdir, readlink, rm, utimes } from 'node:fs/promises';
import { type ClientRequest, type IncomingMessage, request as openRequest } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { Clock } from '../../../../src/common/clock.js';
import { ContentSweepRepository } from '../../../../src/features/files/content-sweep.repository.js';
import { FileRepository } from '../../../../src/features/files/file.repository.js';
import { FileSweep, ORPHAN_AGE_MS } from '../../../../src/features/files/file-sweep.js';
import { PrismaService } from '../../../../src/infra/database/index.js';
import { FolderStorage } from '../../../../src/infra/storage/folder-storage.js';
import { idOf, registerAdmin } from '../../../support/accounts.js';
import { type ApiResponse, at, listAt, registerUser, type TestUser } from '../../../support/client.js';
import { formOf, HEADS, PNG, upload, uploadedId } from '../../../support/files.js';
import { setUpApi, setUpResource, setUpUser } from '../../../support/set-up.js';
import { query, until } from '../../../support/stored.js';

const MEGABYTE = 2 ** 20;
const NOBODY = '0199a3f0-5b7e-7cc3-9d3a-2f6f1c0e9a11';
const BOUNDARY = 'the-boundary';
/** The start of a multipart body. */
const HEAD = `--${BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\nContent-Type: text/plain\r\n\r\n`;

const dataDir = setUpResource(async () => {
  const path = await mkdtemp(join(tmpdir(), 'parley-files-'));
  return { resource: path, close: () => rm(path, { recursive: true }) };
});
const api = setUpApi(() => ({ DATA_DIR: dataDir(), MAX_UPLOAD_MB: '2', BATCH_MAX_INPUT_MB: '2' }));
const user = setUpUser(api);

/** Returns the names of all files stored for an account. */
function bytesOf(userId: string): Promise<string[]> {
  return readdir(join(dataDir(), 'files', userId)).catch(() => []);
}

function rowsOf(userId: string): Promise<unknown[]> {
  return query(api.database, 'SELECT id FROM files WHERE user_id = $1', [userId]);
}

/** Counts the stored files that this process has open. */
async function openFiles(): Promise<number> {
  const descriptors = await readdir('/proc/self/fd').catch(() => []);
  const paths = await Promise.all(
    descriptors.map((fd) => readlink(join('/proc/self/fd', fd)).catch(() => '')),
  );
  return paths.filter((path) => path.startsWith(join(dataDir(), 'files'))).length;
}

async function expectNothingOf(userId: string): Promise<void> {
  await until(
    'an end of the upload',
    async () => (await openFiles()) === 0 && (await bytesOf(userId)).length === 0,
  );
  expect(await rowsOf(userId)).toEqual([]);
}

/** Downloads the bytes of a file. */
async function download(
  id: string,
  { token } = user,
  method = 'GET',
): Promise<{ readonly status: number; readonly headers: Headers; readonly bytes: Buffer }> {
  const response = await fetch(`${api.url}/api/v1/files/${id}/content`, {
    method,
    headers: { authorization: `Bearer ${token}` },
  });
  return {
    status: response.status,
    headers: response.headers,
    bytes: Buffer.from(await response.arrayBuffer()),
  };
}

/** Starts an upload on a raw request. */
function beginUpload({ token }: TestUser, headers: Readonly<Record<string, string>> = {}): ClientRequest {
  const outgoing = openRequest(`${api.url}/api/v1/files`, {
    method: 'POST',
    agent: false,
    headers: {
      authorization: `Bearer ${token}`,
      'content-type': `multipart/form-data; boundary=${BOUNDARY}`,
      ...headers,
    },
  });
  outgoing.on('error', () => undefined);
  return outgoing;
}

/** Reads the response to an upload on a raw request. */
async function answerTo(outgoing: ClientRequest): Promise<Pick<ApiResponse, 'status' | 'body'>> {
  const [response] = (await once(outgoing, 'response')) as [IncomingMessage];
  return { status: response.statusCode ?? 0, body: JSON.parse(await text(response)) as unknown };
}

/** Sends a complete body on a raw request. */
function sendByHand(body: string, headers: Readonly<Record<string, string>> = {}) {
  const outgoing = beginUpload(user, { 'content-length': String(Buffer.byteLength(body)), ...headers });
  const answer = answerTo(outgoing);
  outgoing.end(body);
  return answer;
}

function expectRefusal({ status, body }: Pick<ApiResponse, 'status' | 'body'>, expected: object): void {
  expect({ status, code: at(body, 'error', 'code'), param: at(body, 'error', 'param') }).toMatchObject(
    expected,
  );
}

describe('an upload', () => {
  it('is stored byte for byte, with its detected type, size and hash', async () => {
    const bytes = randomBytes(MEGABYTE);
    const { status, body } = await upload(api.url, user, { name: 'noise.bin', type: 'image/png', bytes });
    expect(status).toBe(201);
    const id = String(at(body, 'id'));
    const shown = {
      id,
      name: 'noise.bin',
      media_type: 'application/octet-stream',
      size: MEGABYTE,
      purpose: 'user_data',
      text_status: 'failed',
      text_error: {
        code: 'unsupported_type',
        message: expect.stringContaining('cannot be extracted') as unknown,
      },
      expires_at: null,
      created_at: expect.stringMatching(/^20\d\d-.*Z$/) as unknown,
    };
    expect(body).toEqual(shown);
    expect((await user.request('GET', `/api/v1/files/${id}`)).body).toEqual(shown);
    const [row] = await query(api.database, 'SELECT hash FROM files WHERE id = $1', [id]);
    expect(row?.['hash']).toEqual(createHash('sha256').update(bytes).digest());
    const got = await download(id);
    expect(got.status).toBe(200);
    expect(got.bytes.equals(bytes)).toBe(true);
    expect(Object.fromEntries(got.headers)).toMatchObject({
      'content-type': 'application/octet-stream',
      'content-length': String(MEGABYTE),
      'content-disposition': 'attachment; filename=noise.bin',
      'x-content-type-options': 'nosniff',
      'content-security-policy': expect.stringContaining("default-src 'none'") as unknown,
    });
    const asked = await download(id, user, 'HEAD');
    expect([asked.status, asked.headers.get('content-length')]).toEqual([200, String(MEGABYTE)]);
    expect(await openFiles()).toBe(0);
  });

  it('of exactly the maximum size is accepted, and one byte more is refused', async () => {
    const bytes = Buffer.alloc(2 * MEGABYTE, 'a');
    expect((await upload(api.url, user, { bytes })).status).toBe(201);
    const owner = await registerUser(api.url);
    const answer = await upload(api.url, owner, { bytes: Buffer.alloc(2 * MEGABYTE + 1, 'a') });
    expectRefusal(answer, { status: 413, code: 'payload_too_large' });
    expect(at(answer.body, 'error', 'message')).toBe('The file is too large. The limit for a file is 2 MB.');
    await expectNothingOf(await idOf(owner));
  });

  it('whose declared length exceeds the limit is refused before its body arrives', async () => {
    const outgoing = beginUpload(user, { 'content-length': String(3 * MEGABYTE) });
    const answer = answerTo(outgoing);
    outgoing.flushHeaders();
    expectRefusal(await answer, { status: 413, code: 'payload_too_large' });
    outgoing.destroy();
  });

  it('without a declared length is refused once it exceeds the limit', async () => {
    const owner = await registerUser(api.url);
    const outgoing = beginUpload(owner);
    const answer = answerTo(outgoing);
    outgoing.write(HEAD);
    // As many bytes as the sockets buffer: a client that sends more is disconnected.
    for (let sent = 0; sent <= 2 * MEGABYTE; sent += 65_536) outgoing.write(Buffer.alloc(65_536, 'a'));
    expectRefusal(await answer, { status: 413, code: 'payload_too_large' });
    outgoing.destroy();
    await expectNothingOf(await idOf(owner));
  });

  it('without valid credentials is not read', async () => {
    const outgoing = beginUpload({ ...user, token: 'not.a.token' }, { 'content-length': String(MEGABYTE) });
    const answer = answerTo(outgoing);
    outgoing.flushHeaders();
    expectRefusal(await answer, { status: 401, code: 'unauthorized' });
    outgoing.destroy();
  });

  const end = `\r\n--${BOUNDARY}--\r\n`;
  const field = `\r\n--${BOUNDARY}\r\nContent-Disposition: form-data; name="more"\r\n\r\n1`;
  it.each<[what: string, body: string, expected: object]>([
    ['without bytes', `${HEAD}${end}`, { status: 400, param: 'file' }],
    ['without a part', `--${BOUNDARY}--\r\n`, { status: 400, param: 'file' }],
    [
      'with a text field instead of the file',
      `${HEAD.replace('; filename="a.txt"', '')}x${end}`,
      { status: 400, param: 'file' },
    ],
    [
      'whose file has another name',
      `${HEAD.replace('"file"', '"files"')}x${end}`,
      { status: 400, param: 'file' },
    ],
    ['of two files', `${HEAD}x\r\n${HEAD}y${end}`, { status: 400, param: 'file' }],
    ['with a field after the file', `${HEAD}x${field}${end}`, { status: 400, param: 'file' }],
    ['with a field before the file', `${field.slice(2)}\r\n${HEAD}x${end}`, { status: 400, param: 'file' }],
    ['that is truncated', `${HEAD}x`, { status: 400, param: null }],
    ['that is not multipart', 'Hello', { status: 400 }],
  ])('%s is refused and leaves no data', async (_what, body, expected) => {
    const before = await bytesOf(await idOf(user));
    expectRefusal(await sendByHand(body), { code: 'invalid_request', ...expected });
    await until('its end', async () => (await openFiles()) === 0);
    // The bytes already written are deleted after the file is closed.
    await until(
      'its bytes to be deleted',
      async () => (await bytesOf(await idOf(user))).length <= before.length,
    );
    expect(await bytesOf(await idOf(user))).toEqual(before);
    expect(await rowsOf(await idOf(user))).toHaveLength(before.length);
  });

  it.each([
    ['as JSON', { 'content-type': 'application/json' }, 415],
    ['without a content type', { 'content-type': '' }, 415],
    ['with a content encoding', { 'content-encoding': 'gzip' }, 415],
    ['without a boundary', { 'content-type': 'multipart/form-data; charset=utf-8' }, 400],
  ])('%s is refused', async (_what, headers, status) => {
    expect((await sendByHand('{}', headers)).status).toBe(status);
  });

  it('that is aborted leaves no bytes, no row and no open file', async () => {
    const owner = await registerUser(api.url);
    const ownerId = await idOf(owner);
    for (const framing of [{}, { 'content-length': String(MEGABYTE) }]) {
      const outgoing = beginUpload(owner, framing);
      outgoing.write(HEAD + 'x'.repeat(100_000));
      await until(
        'the first bytes',
        async () => (await openFiles()) === 1 && (await bytesOf(ownerId)).length === 1,
      );
      outgoing.destroy();
      await expectNothingOf(ownerId);
    }
    expect(api.log.filter((line) => line.includes('unexpected failure'))).toEqual([]);
  });

  it('of an account that is disabled meanwhile is aborted', async () => {
    const admin = await registerAdmin(api);
    const owner = await registerUser(api.url);
    const ownerId = await idOf(owner);
    const outgoing = beginUpload(owner);
    const answer = answerTo(outgoing);
    outgoing.write(HEAD + 'x'.repeat(100_000));
    await until('the first bytes', async () => (await bytesOf(ownerId)).length === 1);
    await admin.request('PATCH', `/api/v1/users/${ownerId}`, { disabled: true });
    expectRefusal(await answer, { status: 401, code: 'unauthorized' });
    outgoing.destroy();
    await expectNothingOf(ownerId);
  });

  it('waits for a running deletion of its account, and then leaves nothing that the deletion has missed', async () => {
    const owner = await registerUser(api.url);
    const ownerId = await idOf(owner);
    const deletion = new pg.Client({ connectionString: api.database.url });
    await deletion.connect();
    try {
      await deletion.query('BEGIN');
      await deletion.query('UPDATE users SET disabled_at = now() WHERE id = $1', [ownerId]);
      const answer = upload(api.url, owner, {});
      await until('the row to wait', async () => {
        const waiting = await query(
          api.database,
          `SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`,
        );
        return waiting.length > 0;
      });
      await deletion.query('COMMIT');
      expectRefusal(await answer, { status: 401, code: 'unauthorized' });
    } finally {
      await deletion.end();
    }
    await expectNothingOf(ownerId);
  });

  it('whose row cannot be written deletes its bytes', async () => {
    const owner = await registerUser(api.url);
    const ownerId = await idOf(owner);
    await query(
      api.database,
      `CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'refused'; END $$`,
    );
    await query(api.database, 'CREATE TRIGGER refuse BEFORE INSERT ON files EXECUTE FUNCTION refuse()');
    try {
      expect((await upload(api.url, owner, {})).status).toBe(500);
    } finally {
      await query(api.database, 'DROP FUNCTION refuse CASCADE');
    }
    await expectNothingOf(ownerId);
  });
});

describe('the media type', () => {
  const binary = Buffer.from([1, 2, 0, 4]);
  it.each<[what: string, bytes: string | Buffer<ArrayBuffer>, declared: string, found: string]>([
    ...Object.entries(HEADS).map(([type, bytes]): [string, Buffer<ArrayBuffer>, string, string] => [
      type,
      bytes,
      'text/html',
      type,
    ]),
    ['a text', 'Grüße', '', 'text/plain'],
    ['a text declared as Markdown', '# Grüße', 'text/markdown; charset=latin1', 'text/markdown'],
    ['JSON', '{}', 'application/json', 'application/json'],
    ['a text declared as an image', 'x', 'image/png', 'text/plain'],
    ['a text with a strange type', 'x', 'text/x"<script>', 'text/plain'],
    ['binary data declared as text', binary, 'text/plain', 'application/octet-stream'],
    [
      'a truncated character at the end',
      Buffer.from('Grü').subarray(0, 3),
      'text/plain',
      'application/octet-stream',
    ],
    ['a text in windows-1252', Buffer.from('Grüße', 'latin1'), 'text/plain', 'text/plain'],
    ['a truncated signature', PNG.subarray(0, 4), 'image/png', 'application/octet-stream'],
  ])('of %s is detected from its bytes', async (_what, bytes, declared, found) => {
    const { body } = await upload(api.url, user, { bytes, type: declared });
    expect(at(body, 'media_type')).toBe(found);
    const { headers } = await download(String(at(body, 'id')));
    // Without a charset: text may be in another encoding than UTF-8.
    expect(headers.get('content-type')).toBe(found);
  });
});

describe('a file name', () => {
  it.each<[given: string, kept: string, header: string]>([
    [
      'Grüße 你好.txt',
      'Grüße 你好.txt',
      `attachment; filename="Gr??e ??.txt"; filename*=UTF-8''Gr%C3%BC%C3%9Fe%20%E4%BD%A0%E5%A5%BD.txt`,
    ],
    ['a "quoted" name.txt', 'a "quoted" name.txt', 'attachment; filename="a \\"quoted\\" name.txt"'],
    ['../../etc/passwd', 'passwd', 'attachment; filename=passwd'],
    ['C:\\Users\\ada\\report.pdf', 'report.pdf', 'attachment; filename=report.pdf'],
    ['a\r\nX-Injected: yes\u0000.txt', 'aX-Injected: yes.txt', 'attachment; filename="aX-Injected: yes.txt"'],
    ['photo\u202egnp.exe', 'photognp.exe', 'attachment; filename=photognp.exe'],
    ['..', 'file', 'attachment; filename=file'],
    [`${'x'.repeat(300)}.txt`, `${'x'.repeat(251)}.txt`, `attachment; filename=${'x'.repeat(251)}.txt`],
  ])('%j is stored as %j', async (given, kept, header) => {
    const { status, body } = await upload(api.url, user, { name: given });
    expect([status, at(body, 'name')]).toEqual([201, kept]);
    expect((await download(String(at(body, 'id')))).headers.get('content-disposition')).toBe(header);
  });
});

describe('files', () => {
  it('are listed newest first, page by page', async () => {
    const owner = await registerUser(api.url);
    const ids: string[] = [];
    for (const name of ['1', '2', '3']) ids.unshift(await uploadedId(api.url, owner, { name }));
    const first = await owner.request('GET', '/api/v1/files?limit=2');
    expect(first.body).toMatchObject({ object: 'list', has_more: true, last_id: ids[1] });
    const second = await owner.request('GET', `/api/v1/files?limit=2&after=${String(ids[1])}`);
    expect(second.body).toMatchObject({ has_more: false });
    expect(
      [...listAt(first.body, 'data'), ...listAt(second.body, 'data')].map((file) => at(file, 'id')),
    ).toEqual(ids);
  });

  it('of another account are answered like unknown ones', async () => {
    const id = await uploadedId(api.url, user);
    const stranger = await registerUser(api.url);
    const asked = [
      ['GET', id],
      ['GET', `${id}/content`],
      ['DELETE', id],
    ] as const;
    for (const [method, path] of asked) {
      const foreign = await stranger.request(method, `/api/v1/files/${path}`);
      expectRefusal(foreign, { status: 404, code: 'not_found' });
      const unknown = await stranger.request(method, `/api/v1/files/${path.replace(id, NOBODY)}`);
      expect(at(foreign.body, 'error', 'message')).toBe(
        String(at(unknown.body, 'error', 'message')).replace(NOBODY, id),
      );
    }
    expect(listAt((await stranger.request('GET', '/api/v1/files')).body, 'data')).toEqual([]);
    expect((await download(id)).status).toBe(200);
  });

  it('are deleted together with their bytes', async () => {
    const owner = await registerUser(api.url);
    const id = await uploadedId(api.url, owner);
    expect(await bytesOf(await idOf(owner))).toHaveLength(1);
    expect((await owner.request('DELETE', `/api/v1/files/${id}`)).status).toBe(204);
    expect(await bytesOf(await idOf(owner))).toEqual([]);
    expect((await owner.request('DELETE', `/api/v1/files/${id}`)).status).toBe(404);
    expect((await download(id, owner)).status).toBe(404);
  });

  it('are closed when the client disconnects during a download', async () => {
    const id = await uploadedId(api.url, user, { bytes: Buffer.alloc(2 * MEGABYTE) });
    const outgoing = openRequest(`${api.url}/api/v1/files/${id}/content`, {
      agent: false,
      headers: { authorization: `Bearer ${user.token}` },
    });
    outgoing.on('error', () => undefined).end();
    await once(outgoing, 'response');
    outgoing.destroy();
    await until('the file to be closed', async () => (await openFiles()) === 0);
    expect(api.log.filter((line) => line.includes('premature'))).toEqual([]);
  });

  it('of a deleted account are deleted with their bytes, also those of an upload that completes at the same time', async () => {
    for (let round = 0; round < 8; round += 1) {
      const owner = await registerUser(api.url);
      const ownerId = await idOf(owner);
      await uploadedId(api.url, owner, { bytes: 'an earlier one' });
      // An upload about to complete, so that the database decides which of the two comes first.
      const outgoing = beginUpload(owner);
      const answer = answerTo(outgoing).catch(() => undefined);
      outgoing.write(`${HEAD}x`);
      await until('the second one to begin', async () => (await bytesOf(ownerId)).length === 2);
      const deleted = owner.request('DELETE', '/api/v1/users/me', { current_password: 'a long password' });
      outgoing.end(`\r\n--${BOUNDARY}--\r\n`);
      expect((await deleted).status).toBe(204);
      await answer;
      await expectNothingOf(ownerId);
    }
  });
});

describe('bytes without a row', () => {
  it('are deleted once they are a day old, but not recent ones or those of unknown accounts', async () => {
    const owner = await registerUser(api.url);
    const ownerId = await idOf(owner);
    await uploadedId(api.url, owner);
    const [kept = ''] = await bytesOf(ownerId);
    const storage = new FolderStorage(join(dataDir(), 'files'));
    const prisma = new PrismaService({ connectionString: api.database.url, poolMax: 1 });
    const put = async (folder: string, age: number): Promise<string> => {
      const name = randomUUID();
      await storage.put({ folder, name }, Readable.from([Buffer.from('x')]));
      const then = new Date(Date.now() - age);
      await utimes(join(dataDir(), 'files', folder, name), then, then);
      return name;
    };
    const stranger = randomUUID();
    await put(ownerId, ORPHAN_AGE_MS + 60_000);
    const young = await put(ownerId, ORPHAN_AGE_MS - 60_000);
    const foreign = await put(stranger, 10 * ORPHAN_AGE_MS);
    const then = new Date(Date.now() - 10 * ORPHAN_AGE_MS);
    await utimes(join(dataDir(), 'files', ownerId, kept), then, then);
    try {
      const sweep = new FileSweep(
        new FileRepository(prisma),
        storage,
        new Clock(),
        new ContentSweepRepository(prisma),
      );
      expect(await sweep.run()).toBe(1);
      expect((await bytesOf(ownerId)).sort()).toEqual([kept, young].sort());
      expect(await bytesOf(stranger)).toEqual([foreign]);
    } finally {
      await prisma.onApplicationShutdown();
    }
  });
});

it('an upload from the FormData of an HTTP client is accepted', async () => {
  const { status } = await upload(api.url, user, formOf({ name: 'x'.repeat(255) }));
  expect(status).toBe(201);
});
