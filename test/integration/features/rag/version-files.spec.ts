// Real components: the API on a socket, PostgreSQL, and the protocol of a provider. Files that are deleted
// or expire while documents that were made of them are being replaced.
import { describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { FileExpiryRepository } from '../../../../src/features/files/file-expiry.repository.js';
import { VersionFileRepository } from '../../../../src/features/rag/ingest/version-file.repository.js';
import { PrismaService } from '../../../../src/infra/database/index.js';
import { at, registerUser, type TestUser } from '../../../support/client.js';
import { uploadedId } from '../../../support/files.js';
import { addHoldFunction, holdTrigger } from '../../../support/kill-at.js';
import { addText, COLLECTIONS, followDocument } from '../../../support/rag-documents.js';
import { setUpApi, setUpProvider, setUpResource } from '../../../support/set-up.js';
import { query, until } from '../../../support/stored.js';

const MODEL = 'openai/test-model';

const provider = setUpProvider();
const api = setUpApi(() => ({ OPENAI_BASE_URL: provider.baseUrl, LLM_MAX_RETRIES: '0' }));

/** A connection whose transaction makes others wait. */
const gate = setUpResource(async () => {
  const resource = new pg.Client({ connectionString: api.database.url });
  await resource.connect();
  return { resource, close: () => resource.end() };
});

/** Creates an account with a collection for vectors; returns the path of its documents. */
async function makeCollection(): Promise<{ readonly owner: TestUser; readonly documents: string }> {
  const owner = await registerUser(api.url);
  const { status } = await owner.request('POST', COLLECTIONS, { name: 'harbor', embedding_model: MODEL });
  if (status !== 201) throw new Error(`The collection was answered ${status}.`);
  return { owner, documents: `${COLLECTIONS}/harbor/documents` };
}

/** Replaces a document by a text whose vectors never come; returns the id of the new file. */
async function beginReplacement(owner: TestUser, path: string, title: string): Promise<string> {
  provider.scriptFor('embeddings', { kind: 'silence' });
  const asked = provider.nextRequest('embeddings');
  expect((await owner.request('PUT', path, { text: `The lock ${title}.`, title })).status).toBe(202);
  await asked;
  const [file] = await query(api.database, 'SELECT id FROM files WHERE name = $1', [`${title}.txt`]);
  return String(file?.['id']);
}

/** Waits until some transactions wait for a lock. */
async function untilWaiting(what: string, count: number): Promise<void> {
  const sql = `SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`;
  await until(what, async () => (await query(api.database, sql)).length >= count);
}

async function namesLike(pattern: string): Promise<unknown[]> {
  return (await query(api.database, 'SELECT name FROM files WHERE name ~ $1', [pattern])).map(
    ({ name }) => name,
  );
}

describe('the deletion of the file of a document', () => {
  it('locks it together with those of replacements in the order of their ids, so that no deadlock is possible', async () => {
    const { owner, documents } = await makeCollection();
    const id = await addText(api.url, owner, 'harbor', 'The lock is closed.', { title: 'sorted-present' });
    const pending = await beginReplacement(owner, `${documents}/${id}`, 'sorted-pending');
    const later = await uploadedId(api.url, owner, { name: 'sorted-later.txt', bytes: 'The lock is old.' });
    expect(later > pending).toBe(true);
    await query(api.database, 'UPDATE documents SET file_id = $1, owns_file = FALSE WHERE id = $2', [
      later,
      id,
    ]);
    await gate().query('BEGIN');
    await gate().query('SELECT 1 FROM files WHERE id = $1 FOR UPDATE', [pending]);
    const deleted = owner.request('DELETE', `/api/v1/files/${later}`);
    await untilWaiting('the deletion to wait for the file of the replacement', 1);
    const free = await query(api.database, 'SELECT id FROM files WHERE id = $1 FOR UPDATE SKIP LOCKED', [
      later,
    ]);
    await gate().query('COMMIT');
    expect((await deleted).status).toBe(204);
    expect(free).toEqual([{ id: later }]);
    expect(await namesLike('^sorted-')).toEqual([]);
  });

  it('deletes that of a replacement that is committed meanwhile, also if the document does not own its file', async () => {
    const { owner, documents } = await makeCollection();
    const file = await uploadedId(api.url, owner, {
      name: 'raced-present.txt',
      bytes: 'The lock is closed.',
    });
    const added = await owner.request('POST', documents, { file_id: file });
    const id = String(at(added.body, 'id'));
    await followDocument(api.url, owner, 'harbor', id);
    // The trigger stops the replacement in its transaction, before it adds its version.
    await addHoldFunction(gate());
    const stage = { name: 'replacement', lock: 15 };
    await gate().query(holdTrigger(stage, 'INSERT ON ingestions', "NEW.title = 'raced-pending'"));
    await gate().query('SELECT pg_advisory_lock(15)');
    const text = { text: 'The lock is open.', title: 'raced-pending' };
    provider.scriptFor('embeddings', { kind: 'silence' });
    const replaced = owner.request('PUT', `${documents}/${id}`, text);
    await untilWaiting('the replacement to be held', 1);
    const deleted = owner.request('DELETE', `/api/v1/files/${file}`);
    await untilWaiting('the deletion to wait for it', 2);
    await gate().query('SELECT pg_advisory_unlock(15)');
    expect([(await replaced).status, (await deleted).status]).toEqual([202, 204]);
    expect((await owner.request('GET', `${documents}/${id}`)).status).toBe(404);
    expect(await namesLike('^raced-')).toEqual([]);
    provider.clearScript('embeddings');
    await query(api.database, 'DROP FUNCTION hold CASCADE');
  });
});

describe('a file of a document that expires', () => {
  it('is deleted with that of a replacement that is not finished', async () => {
    const { owner, documents } = await makeCollection();
    const file = await uploadedId(api.url, owner, {
      name: 'expiring-present.txt',
      bytes: 'The lock is closed.',
    });
    const added = await owner.request('POST', documents, { file_id: file });
    const id = String(at(added.body, 'id'));
    await followDocument(api.url, owner, 'harbor', id);
    const pending = await beginReplacement(owner, `${documents}/${id}`, 'expiring-pending');
    const contents = await query(api.database, 'SELECT content_id FROM files WHERE id = ANY($1)', [
      [file, pending],
    ]);
    await query(api.database, 'UPDATE files SET expires_at = now() WHERE id = $1', [file]);
    const prisma = new PrismaService({ connectionString: api.database.url, poolMax: 1 });
    const expiry = new FileExpiryRepository(prisma, new VersionFileRepository());
    const { count, unreferenced } = await expiry.deleteExpiredFiles(200);
    await prisma.onApplicationShutdown();
    expect(count).toBe(1);
    expect(unreferenced.map(({ name }) => name).sort()).toEqual(
      contents.map((row) => String(row['content_id'])).sort(),
    );
    expect((await owner.request('GET', `${documents}/${id}`)).status).toBe(404);
    expect(await namesLike('^expiring-')).toEqual([]);
  });

  it('has no text on any route from then on, before the sweep, and its bytes can be uploaded again', async () => {
    const { owner, documents } = await makeCollection();
    const bytes = 'Cormorants nest on the mole.';
    const file = await uploadedId(api.url, owner, { name: 'expired.txt', bytes });
    const id = String(at((await owner.request('POST', documents, { file_id: file })).body, 'id'));
    await followDocument(api.url, owner, 'harbor', id);
    const other = await addText(api.url, owner, 'harbor', 'Cormorants fish in the harbor.');
    const asked = await owner.request('POST', '/api/v1/chat', {
      message: 'Where do cormorants nest?',
      collection: 'harbor',
      model: MODEL,
    });
    expect(JSON.stringify(asked.body)).toContain('on the mole');
    const conversation = String(at(asked.body, 'conversation_id'));

    await query(api.database, 'UPDATE files SET expires_at = now() WHERE id = $1', [file]);

    const requests = [
      ['POST', '/api/v1/rag/search', { query: 'cormorants', collection: 'harbor', top_k: 1 }],
      ['GET', documents],
      ['GET', `${documents}/${id}`],
      ['GET', `${documents}/${id}/events`],
      ['GET', `/api/v1/files/${file}/text`],
      ['GET', `/api/v1/conversations/${conversation}/messages`],
    ] as const;
    for (const [method, path, body] of requests) {
      const response = await owner.request(method, path, body);
      // The model of this test repeats its prompt in the stored answer: only the sources are looked at.
      const sources = listOf(response.body).flatMap((entry) => [at(entry, 'sources'), at(entry, 'text')]);
      const shown = path.endsWith('/messages') ? sources : response.body;
      expect({ path, shown: JSON.stringify(shown) }).toEqual({
        path,
        shown: expect.not.stringMatching(/mole|expired\.txt/),
      });
    }
    const [hit, ...others] = listOf(
      (
        await owner.request('POST', '/api/v1/rag/search', {
          query: 'cormorants',
          collection: 'harbor',
          top_k: 1,
        })
      ).body,
    );
    expect([at(hit, 'document_id'), others]).toEqual([other, []]);

    const again = await owner.request('POST', documents, { text: bytes, title: 'again' });
    expect(again.status).toBe(202);
    expect(at(again.body, 'id')).not.toBe(id);
    await followDocument(api.url, owner, 'harbor', String(at(again.body, 'id')));
  });
});

/** Returns the entries of a list; none for a response that is no list. */
function listOf(body: unknown): unknown[] {
  const data = at(body, 'data');
  return Array.isArray(data) ? data : [];
}
