// Real components: the API on a socket, PostgreSQL, and the file directory or a bucket. Purposes, lifetimes and idempotency keys of
// uploads.
import { randomUUID } from 'node:crypto';
import { Readable } from 'node:stream';
import { describe, expect, it } from '@jest/globals';
import { FileExpiry } from '../../../../src/features/files/file-expiry.js';
import { FileExpiryRepository } from '../../../../src/features/files/file-expiry.repository.js';
import { RemovedContentRepository } from '../../../../src/features/files/removed-content.repository.js';
import { RemovedContentSweep } from '../../../../src/features/files/removed-content-sweep.js';
import { UploadRepository } from '../../../../src/features/files/upload.repository.js';
import { PrismaService } from '../../../../src/infra/database/index.js';
import { idOf } from '../../../support/accounts.js';
import { type ApiResponse, at, listAt, registerUser, type TestUser } from '../../../support/client.js';
import { setUpFileStore, storedNames } from '../../../support/file-store.js';
import { formOf, type TestFile, uploadedId } from '../../../support/files.js';
import { setUpApi, setUpResource, setUpUser } from '../../../support/set-up.js';
import { query, until } from '../../../support/stored.js';

const MEGABYTE = 2 ** 20;

const store = setUpFileStore();
const api = setUpApi(() => ({ ...store().settings, MAX_UPLOAD_MB: '1', BATCH_MAX_INPUT_MB: '3' }));
const user = setUpUser(api);

/** The task of another process over the same database and files. */
const expiry = setUpResource(() => {
  const prisma = new PrismaService({ connectionString: api.database.url, poolMax: 2 });
  const { storage } = store();
  const resource = new FileExpiry(new FileExpiryRepository(prisma), new UploadRepository(prisma), storage);
  return Promise.resolve({ resource, close: () => prisma.onApplicationShutdown() });
});

type Fields = readonly (readonly [name: string, value: string])[];

/** Sends a form with a file and fields, before or after it. */
async function send(
  { token }: TestUser,
  options: {
    readonly file?: TestFile;
    readonly before?: Fields;
    readonly after?: Fields;
    readonly key?: string;
  },
): Promise<ApiResponse> {
  const form = new FormData();
  for (const [name, value] of options.before ?? []) form.append(name, value);
  for (const [name, value] of formOf(options.file ?? {})) form.append(name, value);
  for (const [name, value] of options.after ?? []) form.append(name, value);
  const response = await fetch(`${api.url}/api/v1/files`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${token}`,
      ...(options.key !== undefined && { 'idempotency-key': options.key }),
    },
    body: form,
  });
  return { status: response.status, headers: response.headers, body: await response.json() };
}

async function bytesOf(owner: TestUser): Promise<string[]> {
  return storedNames(store(), await idOf(owner));
}

async function rowsOf(owner: TestUser): Promise<number> {
  return (await query(api.database, 'SELECT 1 FROM files WHERE user_id = $1', [await idOf(owner)])).length;
}

describe('the fields of an upload', () => {
  it.each(['before', 'after'] as const)('set purpose and lifetime %s the file', async (place) => {
    const fields: Fields = [
      ['purpose', 'assistants'],
      ['expires_after[anchor]', 'created_at'],
      ['expires_after[seconds]', '3600'],
    ];
    const { status, body } = await send(user, { [place]: fields });
    expect([status, at(body, 'purpose')]).toEqual([201, 'assistants']);
    const created = Date.parse(String(at(body, 'created_at')));
    expect(Date.parse(String(at(body, 'expires_at'))) - created).toBe(3_600_000);
  });

  it('are as if they were not sent if they are empty, as forms of browsers send them', async () => {
    const empty = ['purpose', 'expires_after[anchor]', 'expires_after[seconds]'].map(
      (name) => [name, ''] as const,
    );
    const { status, body } = await send(user, { after: empty });
    expect([status, at(body, 'purpose'), at(body, 'expires_at')]).toEqual([201, 'user_data', null]);
  });

  const anchor = ['expires_after[anchor]', 'created_at'] as const;
  it.each<[what: string, fields: Fields, param: string]>([
    ['an unknown purpose', [['purpose', 'evil']], 'purpose'],
    [
      'two purposes',
      [
        ['purpose', 'batch'],
        ['purpose', 'batch'],
      ],
      'purpose',
    ],
    ['a purpose of 5 KB', [['purpose', 'x'.repeat(5000)]], 'purpose'],
    ['a lifetime without an anchor', [['expires_after[seconds]', '3600']], 'expires_after[anchor]'],
    ['an anchor without a lifetime', [anchor], 'expires_after[seconds]'],
    [
      'another anchor',
      [
        ['expires_after[anchor]', 'last_active_at'],
        ['expires_after[seconds]', '3600'],
      ],
      'expires_after[anchor]',
    ],
    ['less than an hour', [anchor, ['expires_after[seconds]', '3599']], 'expires_after[seconds]'],
    ['more than 30 days', [anchor, ['expires_after[seconds]', '2592001']], 'expires_after[seconds]'],
    ['no number', [anchor, ['expires_after[seconds]', '4e3']], 'expires_after[seconds]'],
    ['an unknown field', [['color', 'red']], 'file'],
  ])('are refused for %s, before and after the file, and nothing is left', async (_what, fields, param) => {
    const owner = await registerUser(api.url);
    for (const place of ['before', 'after'] as const) {
      const { status, body } = await send(owner, { [place]: fields });
      expect([status, at(body, 'error', 'code'), at(body, 'error', 'param')]).toEqual([
        400,
        'invalid_request',
        param,
      ]);
    }
    await until('the bytes to be deleted', async () => (await bytesOf(owner)).length === 0);
    expect(await rowsOf(owner)).toBe(0);
  });

  it.each(['before', 'after'] as const)(
    'allow batch files a size of their own, with the purpose %s the file',
    async (place) => {
      const owner = await registerUser(api.url);
      const sized = (megabytes: number, purpose: string) =>
        send(owner, {
          file: { bytes: Buffer.alloc(megabytes * MEGABYTE, 'a') },
          [place]: [['purpose', purpose]],
        });
      expect((await sized(3, 'batch')).status).toBe(201);
      expect((await sized(1, 'vision')).status).toBe(201);
      const refused = await sized(2, 'vision');
      expect([refused.status, at(refused.body, 'error', 'message')]).toEqual([
        413,
        'The file is too large. The limit for a file is 1 MB.',
      ]);
      const file = { bytes: Buffer.alloc(3 * MEGABYTE + 1, 'a') };
      expect((await send(owner, { file, [place]: [['purpose', 'batch']] })).status).toBe(413);
      expect((await send(owner, { file: { bytes: Buffer.alloc(2 * MEGABYTE) } })).status).toBe(413);
      expect(await rowsOf(owner)).toBe(2);
      await until('the bytes to be deleted', async () => (await bytesOf(owner)).length === 2);
    },
  );
});

describe('an Idempotency-Key on an upload', () => {
  it('returns the same file for the same upload, and marks it as replayed', async () => {
    const owner = await registerUser(api.url);
    const first = await send(owner, { key: 'one' });
    const second = await send(owner, { key: 'one' });
    expect([first.status, first.headers.get('idempotent-replayed')]).toEqual([201, null]);
    expect([second.status, second.headers.get('idempotent-replayed')]).toEqual([201, 'true']);
    // Its text may have been extracted in the meantime.
    expect(second.body).toEqual({ ...Object(first.body), text_status: at(second.body, 'text_status') });
    expect(at((await send(owner, { key: 'two' })).body, 'id')).not.toBe(at(first.body, 'id'));
    expect([await rowsOf(owner), (await bytesOf(owner)).length]).toEqual([2, 1]);
  });

  it.each<[what: string, other: Parameters<typeof send>[1]]>([
    ['bytes', { file: { bytes: 'Other' } }],
    ['a name', { file: { name: 'other.txt' } }],
    ['a purpose', { after: [['purpose', 'batch']] }],
  ])('is refused for an upload with %s that differ', async (_what, other) => {
    const owner = await registerUser(api.url);
    await send(owner, { key: 'one' });
    const { status, body } = await send(owner, { ...other, key: 'one' });
    expect([status, at(body, 'error', 'code')]).toEqual([409, 'idempotency_key_reused']);
    expect([await rowsOf(owner), (await bytesOf(owner)).length]).toEqual([1, 1]);
  });

  it('creates one file for uploads at the same time', async () => {
    const owner = await registerUser(api.url);
    const answers = await Promise.all(Array.from({ length: 8 }, () => send(owner, { key: 'one' })));
    expect(new Set(answers.map(({ body }) => at(body, 'id'))).size).toBe(1);
    expect(answers.filter(({ headers }) => headers.get('idempotent-replayed') === null)).toHaveLength(1);
    expect([await rowsOf(owner), (await bytesOf(owner)).length]).toEqual([1, 1]);
  });

  it('is not remembered for a refused upload, nor shared between accounts', async () => {
    const [owner, other] = [await registerUser(api.url), await registerUser(api.url)];
    expect((await send(owner, { key: 'one', file: { bytes: '' } })).status).toBe(400);
    expect((await send(owner, { key: 'one' })).status).toBe(201);
    const foreign = await send(other, { key: 'one', file: { bytes: 'Other' } });
    expect([foreign.status, foreign.headers.get('idempotent-replayed')]).toEqual([201, null]);
  });

  it('of a deleted file is a 404, and is free again after a day', async () => {
    const owner = await registerUser(api.url);
    const { body } = await send(owner, { key: 'one' });
    await owner.request('DELETE', `/api/v1/files/${String(at(body, 'id'))}`);
    expect((await send(owner, { key: 'one' })).status).toBe(404);
    const age = `UPDATE upload_keys SET created_at = now() - interval '25 hours' WHERE user_id = $1`;
    await query(api.database, age, [await idOf(owner)]);
    expect((await send(owner, { key: 'one', file: { bytes: 'Other' } })).status).toBe(201);
    await query(api.database, age, [await idOf(owner)]);
    await expiry().run();
    expect(
      await query(api.database, 'SELECT 1 FROM upload_keys WHERE user_id = $1', [await idOf(owner)]),
    ).toEqual([]);
  });
});

describe('an expired file', () => {
  it('no longer exists for its owner, and is deleted with its bytes unless another file has them', async () => {
    const owner = await registerUser(api.url);
    const ids = [
      await uploadedId(api.url, owner, { bytes: 'shared' }),
      await uploadedId(api.url, owner, { bytes: 'own' }),
    ];
    const kept = await uploadedId(api.url, owner, { bytes: 'shared' });
    await query(api.database, 'UPDATE files SET expires_at = now() WHERE id = ANY($1)', [ids]);
    for (const id of ids) {
      for (const [method, path] of [
        ['GET', ''],
        ['GET', '/content'],
        ['DELETE', ''],
      ] as const)
        expect((await owner.request(method, `/api/v1/files/${id}${path}`)).status).toBe(404);
      const turn = await owner.request('POST', '/api/v1/chat', { message: 'Hi', file_ids: [id] });
      expect(turn.status).toBe(404);
    }
    const listed = await owner.request('GET', '/api/v1/files');
    expect(listAt(listed.body, 'data').map((file) => at(file, 'id'))).toEqual([kept]);
    const deleted = await Promise.all([expiry().run(), expiry().run()]);
    expect(deleted[0] + deleted[1]).toBe(2);
    expect([await rowsOf(owner), (await bytesOf(owner)).length]).toEqual([1, 1]);
    expect((await owner.request('GET', `/api/v1/files/${kept}`)).status).toBe(200);
  });

  it('is deleted in a smaller batch if the deletion of a large one takes too long', async () => {
    const owner = await registerUser(api.url);
    for (const bytes of ['one', 'two', 'three']) await uploadedId(api.url, owner, { bytes });
    await query(api.database, 'UPDATE files SET expires_at = now() WHERE user_id = $1', [await idOf(owner)]);
    await query(
      api.database,
      `CREATE FUNCTION refuse_many() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
         IF (SELECT count(*) FROM removed) > 1 THEN
           RAISE EXCEPTION 'canceling statement due to statement timeout' USING ERRCODE = '57014';
         END IF;
         RETURN NULL; END $$`,
    );
    await query(
      api.database,
      `CREATE TRIGGER refuse_many AFTER DELETE ON files REFERENCING OLD TABLE AS removed
       FOR EACH STATEMENT EXECUTE FUNCTION refuse_many()`,
    );
    expect(await expiry().run()).toBe(3);
    expect([await rowsOf(owner), (await bytesOf(owner)).length]).toEqual([0, 0]);
    await query(api.database, 'DROP TRIGGER refuse_many ON files');
  });
});

describe('the bytes of a deleted file', () => {
  it('that cannot be removed do not keep those of others from being removed', async () => {
    const prisma = new PrismaService({ connectionString: api.database.url, poolMax: 2 });
    const folder = randomUUID();
    const [stuck, gone] = [randomUUID(), randomUUID()];
    const { storage } = store();
    await storage.put({ folder, name: gone }, Readable.from([Buffer.from('gone')]));
    await store().refuseDeletion({ folder, name: stuck });
    for (const [id, age] of [
      [stuck, '2 minutes'],
      [gone, '1 minute'],
    ])
      await query(
        api.database,
        'INSERT INTO removed_contents (id, user_id, removed_at) VALUES ($1, $2, now() - $3::interval)',
        [id, folder, age],
      );
    await new RemovedContentSweep(new RemovedContentRepository(prisma), storage).run();
    await prisma.onApplicationShutdown();
    await expect(storage.open({ folder, name: gone })).rejects.toThrow();
    const left = await query(api.database, 'SELECT id FROM removed_contents WHERE user_id = $1', [folder]);
    expect(left).toEqual([{ id: stuck }]);
  });
});
