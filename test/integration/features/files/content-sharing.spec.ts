// Real components: the API on a socket, PostgreSQL, and the file directory or a bucket. Equal bytes of an account are stored once,
// in any order of uploads and deletions.
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { type IncomingMessage, request as openRequest } from 'node:http';
import { describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { ContentAdoptionRepository } from '../../../../src/features/files/content-adoption.repository.js';
import { ContentWriter } from '../../../../src/features/files/content-writer.js';
import { ContentSweepRepository } from '../../../../src/features/files/content-sweep.repository.js';
import { Clock } from '../../../../src/common/clock.js';
import { FileRepository } from '../../../../src/features/files/file.repository.js';
import { FileSweep } from '../../../../src/features/files/file-sweep.js';
import { FileService } from '../../../../src/features/files/file.service.js';
import { UploadRepository } from '../../../../src/features/files/upload.repository.js';
import { PrismaService } from '../../../../src/infra/database/index.js';
import { idOf } from '../../../support/accounts.js';
import { at, registerUser, type TestUser } from '../../../support/client.js';
import { renameStored, setUpFileStore, storedNames } from '../../../support/file-store.js';
import { upload, uploadedId } from '../../../support/files.js';
import { addHoldFunction, holdTrigger } from '../../../support/kill-at.js';
import { setUpApi, setUpResource } from '../../../support/set-up.js';
import { query, until } from '../../../support/stored.js';

const MEGABYTE = 2 ** 20;

const store = setUpFileStore();
const api = setUpApi(() => ({ ...store().settings, QUOTA_STORAGE_MB: '4' }));

/** The service of another process over the same database and files. */
const fileService = setUpResource(() => {
  const prisma = new PrismaService({ connectionString: api.database.url, poolMax: 4 });
  const resource = new FileService(
    new FileRepository(prisma),
    new UploadRepository(prisma),
    new ContentAdoptionRepository(prisma),
    store().storage,
    new ContentWriter(store().storage),
    { announce: () => undefined },
    { maxUploadMb: 32, maxBatchInputMb: 200, quotaBytes: undefined },
  );
  return Promise.resolve({ resource, close: () => prisma.onApplicationShutdown() });
});

/** Returns the names of all bytes stored for an account, in order. */
function bytesOf(userId: string): Promise<string[]> {
  return storedNames(store(), userId);
}

/** Returns the ids of all contents of an account, in order. */
async function contentsOf(userId: string): Promise<string[]> {
  const rows = await query(api.database, 'SELECT id FROM file_contents WHERE user_id = $1 ORDER BY id', [
    userId,
  ]);
  return rows.map(({ id }) => String(id));
}

async function downloadText({ token }: TestUser, id: string): Promise<string> {
  const response = await fetch(`${api.url}/api/v1/files/${id}/content`, {
    headers: { authorization: `Bearer ${token}` },
  });
  return `${response.status} ${await response.text()}`;
}

/** Makes a file one of an earlier version: without a content, its bytes under its own id. */
async function makeLegacy(userId: string, id: string): Promise<void> {
  const [content] = await query(
    api.database,
    `WITH file AS (UPDATE files SET content_id = NULL, text_format = NULL WHERE id = $1
       RETURNING (SELECT content_id FROM files WHERE id = $1) AS id)
     SELECT id FROM file`,
    [id],
  );
  await query(api.database, 'DELETE FROM file_contents WHERE id = $1', [content?.['id']]);
  await renameStored(store(), { folder: userId, name: String(content?.['id']) }, id);
}

describe('equal bytes of an account', () => {
  it('are stored once, and deleted with the last file that has them', async () => {
    const owner = await registerUser(api.url);
    const ownerId = await idOf(owner);
    const first = await uploadedId(api.url, owner, { name: 'a.txt' });
    const second = await uploadedId(api.url, owner, { name: 'b.txt' });
    expect(await bytesOf(ownerId)).toEqual(await contentsOf(ownerId));
    expect(await bytesOf(ownerId)).toHaveLength(1);
    await owner.request('DELETE', `/api/v1/files/${first}`);
    expect(await downloadText(owner, second)).toBe('200 Hello');
    await owner.request('DELETE', `/api/v1/files/${second}`);
    expect([...(await bytesOf(ownerId)), ...(await contentsOf(ownerId))]).toEqual([]);
    expect(await query(api.database, 'SELECT 1 FROM file_texts WHERE user_id = $1', [ownerId])).toEqual([]);
  });

  it('are gone for their owner although the store fails to delete them', async () => {
    const owner = await registerUser(api.url);
    const id = await uploadedId(api.url, owner);
    const folder = await idOf(owner);
    const [name = ''] = await bytesOf(folder);
    await store().refuseDeletion({ folder, name });
    expect((await owner.request('DELETE', `/api/v1/files/${id}`)).status).toBe(204);
    expect(await downloadText(owner, id)).toMatch(/^404 /);
    expect(await contentsOf(folder)).toEqual([]);
    expect(api.log.some((line) => line.includes('could not delete the bytes of a file'))).toBe(true);
    await store().allowDeletion({ folder, name });
    expect(await downloadText(owner, await uploadedId(api.url, owner))).toBe('200 Hello');
  });

  it('are not shared between accounts', async () => {
    const [one, other] = [await registerUser(api.url), await registerUser(api.url)];
    const id = await uploadedId(api.url, one);
    await uploadedId(api.url, other);
    expect((await one.request('DELETE', `/api/v1/files/${id}`)).status).toBe(204);
    expect(await bytesOf(await idOf(other))).toHaveLength(1);
  });

  it('have one text to be extracted per format', async () => {
    const owner = await registerUser(api.url);
    for (const type of ['text/plain', 'text/markdown', 'text/html']) {
      const { body } = await upload(api.url, owner, { type });
      expect([at(body, 'text_status'), at(body, 'text_error')]).toEqual(['pending', null]);
    }
    const texts = await query(
      api.database,
      'SELECT format, status FROM file_texts WHERE user_id = $1 ORDER BY format',
      [await idOf(owner)],
    );
    expect(texts.map(({ format }) => format)).toEqual(['html', 'text']);
  });

  it('uploaded at the same time leave one content with its bytes', async () => {
    const owner = await registerUser(api.url);
    const ownerId = await idOf(owner);
    const ids = await Promise.all(Array.from({ length: 8 }, () => uploadedId(api.url, owner)));
    expect(new Set(ids).size).toBe(8);
    expect(await bytesOf(ownerId)).toEqual(await contentsOf(ownerId));
    expect(await bytesOf(ownerId)).toHaveLength(1);
  });

  it('uploaded while the last file with them is deleted can be read in all of 50 rounds', async () => {
    const owner = await registerUser(api.url);
    const ownerId = await idOf(owner);
    for (let round = 0; round < 50; round += 1) {
      const old = await uploadedId(api.url, owner);
      const [deleted, renewed] = await Promise.all([
        owner.request('DELETE', `/api/v1/files/${old}`),
        uploadedId(api.url, owner),
      ]);
      expect(deleted.status).toBe(204);
      expect(await downloadText(owner, renewed)).toBe('200 Hello');
      expect(await bytesOf(ownerId)).toEqual(await contentsOf(ownerId));
      await owner.request('DELETE', `/api/v1/files/${renewed}`);
      expect([...(await bytesOf(ownerId)), ...(await contentsOf(ownerId))]).toEqual([]);
    }
  });

  it('are deleted when all files that have them are deleted at the same time', async () => {
    const owner = await registerUser(api.url);
    const ownerId = await idOf(owner);
    const ids = await Promise.all(Array.from({ length: 8 }, () => uploadedId(api.url, owner)));
    await Promise.all(ids.map((id) => owner.request('DELETE', `/api/v1/files/${id}`)));
    expect([...(await bytesOf(ownerId)), ...(await contentsOf(ownerId))]).toEqual([]);
  });
});

describe('an upload that holds the lock of its content', () => {
  it('keeps the bytes although the last other file with them is deleted meanwhile', async () => {
    const owner = await registerUser(api.url);
    const old = await uploadedId(api.url, owner, { name: 'old.txt' });
    // The trigger stops the upload in its transaction, after it has locked the content.
    const gate = new pg.Client({ connectionString: api.database.url });
    await gate.connect();
    await addHoldFunction(gate);
    await gate.query(holdTrigger({ name: 'upload', lock: 14 }, 'INSERT ON files', "NEW.name = 'held.txt'"));
    try {
      await gate.query('SELECT pg_advisory_lock(14)');
      // A job that extracts a text may wait for the same content.
      const isWaiting = async (condition: string): Promise<boolean> => {
        const sql = `SELECT 1 FROM pg_stat_activity
          WHERE datname = current_database() AND wait_event_type = 'Lock' AND ${condition}`;
        return (await query(api.database, sql)).length > 0;
      };
      const uploaded = uploadedId(api.url, owner, { name: 'held.txt' });
      await until('the upload to hold the content', () => isWaiting(`wait_event = 'advisory'`));
      const deleted = owner.request('DELETE', `/api/v1/files/${old}`);
      await until('the deletion to wait for it', () => isWaiting(`query LIKE '%file_contents%FOR UPDATE%'`));
      await gate.query('SELECT pg_advisory_unlock(14)');
      expect((await deleted).status).toBe(204);
      expect(await downloadText(owner, await uploaded)).toBe('200 Hello');
    } finally {
      await gate.end();
      await query(api.database, 'DROP FUNCTION hold CASCADE');
    }
  });
});

describe('the storage quota', () => {
  it('refuses what cannot fit before its bytes arrive, but not bytes that are already stored', async () => {
    const owner = await registerUser(api.url);
    const bytes = Buffer.alloc(3 * MEGABYTE, 'a');
    await uploadedId(api.url, owner, { bytes });
    await uploadedId(api.url, owner, { bytes });
    const outgoing = openRequest(`${api.url}/api/v1/files`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${owner.token}`,
        'content-type': 'multipart/form-data; boundary=b',
        'content-length': String(2 * MEGABYTE),
      },
    });
    outgoing.on('error', () => undefined);
    const answered = once(outgoing, 'response');
    outgoing.write('--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\na');
    const [response] = (await answered) as [IncomingMessage];
    expect(response.statusCode).toBe(413);
    outgoing.destroy();
  });

  it('leaves the connection of a refused upload usable', async () => {
    const owner = await registerUser(api.url);
    const bytes = Buffer.alloc(3 * MEGABYTE, 'a');
    await uploadedId(api.url, owner, { bytes });
    for (let round = 0; round < 3; round += 1) {
      expect((await upload(api.url, owner, { bytes: Buffer.alloc(2 * MEGABYTE, 'b') })).status).toBe(413);
      expect((await owner.request('GET', '/api/v1/files')).status).toBe(200);
    }
  });

  it('is exact under 20 parallel uploads', async () => {
    const owner = await registerUser(api.url);
    const answers = await Promise.all(
      Array.from({ length: 20 }, () =>
        upload(api.url, owner, { bytes: randomUUID().repeat(29_127).slice(0, MEGABYTE) }),
      ),
    );
    expect(answers.map(({ status }) => status).sort()).toEqual([
      ...Array.from({ length: 4 }, () => 201),
      ...Array.from({ length: 16 }, () => 413),
    ]);
    const refused = answers.find(({ status }) => status === 413);
    expect(at(refused?.body, 'error', 'code')).toBe('storage_quota_exceeded');
    const ownerId = await idOf(owner);
    expect(await bytesOf(ownerId)).toHaveLength(4);
    expect(await contentsOf(ownerId)).toEqual(await bytesOf(ownerId));
  });

  it('counts equal bytes once, and frees the bytes of deleted files', async () => {
    const owner = await registerUser(api.url);
    const bytes = Buffer.alloc(3 * MEGABYTE, 'a');
    const id = await uploadedId(api.url, owner, { bytes });
    const copy = await uploadedId(api.url, owner, { bytes });
    const other = Buffer.alloc(3 * MEGABYTE, 'b');
    expect((await upload(api.url, owner, { bytes: other })).status).toBe(413);
    await owner.request('DELETE', `/api/v1/files/${id}`);
    expect((await upload(api.url, owner, { bytes: other })).status).toBe(413);
    await owner.request('DELETE', `/api/v1/files/${copy}`);
    expect((await upload(api.url, owner, { bytes: other })).status).toBe(201);
  });
});

describe('a file of an earlier version', () => {
  it('can be read, counts towards the quota, and is deleted with its bytes', async () => {
    const owner = await registerUser(api.url);
    const ownerId = await idOf(owner);
    const id = await uploadedId(api.url, owner, { bytes: Buffer.alloc(3 * MEGABYTE, 'a') });
    await makeLegacy(ownerId, id);
    expect((await owner.request('GET', `/api/v1/files/${id}`)).body).toMatchObject({
      text_status: 'pending',
    });
    expect((await downloadText(owner, id)).length).toBe(3 * MEGABYTE + 4);
    expect((await upload(api.url, owner, { bytes: Buffer.alloc(2 * MEGABYTE, 'b') })).status).toBe(413);
    expect((await owner.request('DELETE', `/api/v1/files/${id}`)).status).toBe(204);
    expect(await bytesOf(ownerId)).toEqual([]);
  });

  it('is given a content of its own once, or that of equal bytes', async () => {
    const owner = await registerUser(api.url);
    const ownerId = await idOf(owner);
    const files = fileService();
    const [old, older] = [await uploadedId(api.url, owner), await uploadedId(api.url, owner, { bytes: 'x' })];
    await makeLegacy(ownerId, old);
    await makeLegacy(ownerId, older);
    const equal = await uploadedId(api.url, owner);
    const adopted = await Promise.all(Array.from({ length: 4 }, () => files.adoptContent(ownerId, older)));
    expect(adopted.map(({ contentId, format }) => [contentId, format])).toEqual(
      Array.from({ length: 4 }, () => [older, 'text']),
    );
    expect((await files.adoptContent(ownerId, old)).contentId).not.toBe(old);
    expect(await bytesOf(ownerId)).toEqual(await contentsOf(ownerId));
    for (const id of [old, equal]) expect(await downloadText(owner, id)).toBe('200 Hello');
    expect(await downloadText(owner, older)).toBe('200 x');
    await expect(files.adoptContent(await idOf(await registerUser(api.url)), older)).rejects.toThrow(
      'There is no file',
    );
  });
});

describe('the content that an older version left without a file', () => {
  const sweep = setUpResource(() => {
    const prisma = new PrismaService({ connectionString: api.database.url, poolMax: 4 });
    const resource = new FileSweep(
      new FileRepository(prisma),
      store().storage,
      new Clock(),
      new ContentSweepRepository(prisma),
    );
    return Promise.resolve({ resource, close: () => prisma.onApplicationShutdown() });
  });

  /** Deletes a file as an older version does, which knows no contents. */
  async function deleteAsOlderVersion(fileId: string, minutesAgo: number): Promise<void> {
    await query(
      api.database,
      `WITH file AS (DELETE FROM files WHERE id = $1 RETURNING content_id)
       UPDATE file_contents SET created_at = now() - make_interval(mins => $2::int)
       FROM file WHERE file_contents.id = file.content_id`,
      [fileId, minutesAgo],
    );
  }

  it('is deleted with its text and its bytes once it is an hour old', async () => {
    const owner = await registerUser(api.url);
    const ownerId = await idOf(owner);
    const young = await uploadedId(api.url, owner, { bytes: Buffer.from('young') });
    const old = await uploadedId(api.url, owner, { bytes: Buffer.from('old') });
    await uploadedId(api.url, owner, { bytes: Buffer.from('used') });
    await query(
      api.database,
      "UPDATE file_contents SET created_at = now() - interval '1 day' WHERE user_id = $1",
      [ownerId],
    );
    await deleteAsOlderVersion(young, 59);
    await deleteAsOlderVersion(old, 61);
    await sweep().run();
    expect(await contentsOf(ownerId)).toHaveLength(2);
    expect(await bytesOf(ownerId)).toEqual(await contentsOf(ownerId));
    expect(await query(api.database, 'SELECT 1 FROM file_texts WHERE user_id = $1', [ownerId])).toHaveLength(
      2,
    );
  });

  it('keeps its bytes, or is replaced with others, if equal bytes are uploaded during the sweep', async () => {
    const owner = await registerUser(api.url);
    const ownerId = await idOf(owner);
    for (let round = 0; round < 15; round += 1) {
      await deleteAsOlderVersion(await uploadedId(api.url, owner), 61);
      const [uploaded] = await Promise.all([uploadedId(api.url, owner), sweep().run()]);
      expect(await downloadText(owner, uploaded)).toBe('200 Hello');
      expect(await bytesOf(ownerId)).toEqual(await contentsOf(ownerId));
      await owner.request('DELETE', `/api/v1/files/${uploaded}`);
    }
  });
});
