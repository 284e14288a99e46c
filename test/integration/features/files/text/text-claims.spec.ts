// Real components: PostgreSQL, used by two connection pools as by two processes, and the runner of texts over stores
// and extractors that fail.
import { randomUUID } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { ActiveOperations } from '../../../../../src/common/active-operations.js';
import { AppError } from '../../../../../src/common/errors.js';
import type { ExtractedText } from '../../../../../src/features/files/extraction/extracted-text.js';
import {
  type DocumentSource,
  ProcessGoneError,
  ProcessKilledError,
} from '../../../../../src/features/files/extraction/extraction-process.js';
import { FileTextRepository } from '../../../../../src/features/files/text/file-text.repository.js';
import { TextRunnerService } from '../../../../../src/features/files/text/text-runner.service.js';
import type { TextRef } from '../../../../../src/features/files/text/text.jobs.js';
import { PrismaService } from '../../../../../src/infra/database/index.js';
import { Metrics } from '../../../../../src/infra/metrics/index.js';
import { MissingContentError } from '../../../../../src/infra/storage/index.js';
import { createMigratedDatabase } from '../../../../support/database.js';
import { textRows } from '../../../../support/file-texts.js';
import { setUpResource } from '../../../../support/set-up.js';
import { query, type Row } from '../../../../support/stored.js';

const ROUNDS = 20;
const LIMITS = {
  processes: 1,
  timeoutMs: 60_000,
  memoryBytes: 1,
  maxPages: 1,
  maxCharacters: 1,
  maxEntries: 1,
  maxInflatedBytes: 1,
};
const READY: ExtractedText = { status: 'ready', pages: [{ page: 1, text: 'Hello' }], warnings: [] };

const database = setUpResource(async () => {
  const resource = await createMigratedDatabase();
  return { resource, close: () => resource.drop() };
});
const repositories = setUpResource(() => {
  const pools = [0, 1].map(() => new PrismaService({ connectionString: database().url, poolMax: 4 }));
  const close = async (): Promise<void> => {
    for (const pool of pools) await pool.onApplicationShutdown();
  };
  return Promise.resolve({ resource: pools.map((pool) => new FileTextRepository(pool)), close });
});

function repository(index = 0): FileTextRepository {
  const found = repositories()[index];
  if (found === undefined) throw new Error('There are two repositories.');
  return found;
}

/** Inserts an account with a text that is due. */
async function insertText(): Promise<TextRef> {
  const [userId, contentId] = [randomUUID(), randomUUID()];
  await query(database(), "INSERT INTO users (id, email, password_hash) VALUES ($1, $2, '')", [
    userId,
    `${userId}@example.com`,
  ]);
  await query(database(), "INSERT INTO file_contents (id, user_id, hash, size) VALUES ($1, $2, '\\x00', 1)", [
    contentId,
    userId,
  ]);
  await query(
    database(),
    "INSERT INTO file_texts (content_id, format, user_id, due_at) VALUES ($1, 'text', $2, now() - interval '1 second')",
    [contentId, userId],
  );
  return { userId, contentId, format: 'text' };
}

async function makeDue({ contentId }: TextRef): Promise<void> {
  // The column rounds to milliseconds, possibly to one that is not over yet.
  const sql = `UPDATE file_texts SET due_at = date_trunc('milliseconds', now()) WHERE content_id = $1`;
  await query(database(), sql, [contentId]);
}

async function rowOf({ userId }: TextRef): Promise<Row | undefined> {
  const [row] = await textRows({ database: database() }, userId);
  return row;
}

/** Creates the runner of a process. */
function runnerOf(
  extract: (document: DocumentSource, signal: AbortSignal) => Promise<ExtractedText>,
  open: () => Promise<never> = () => Promise.reject(new Error('nothing is stored')),
  operations = new ActiveOperations(),
  index = 0,
): TextRunnerService {
  return new TextRunnerService(
    repository(index),
    { announce: () => undefined },
    { extract },
    { open },
    operations,
    new Metrics('test'),
    LIMITS,
  );
}

/** Reads a document to its end, as the extractor does, and returns a text. */
async function readAll({ bytes }: DocumentSource): Promise<ExtractedText> {
  for await (const piece of bytes) if (piece.length === 0) break;
  return READY;
}

describe('a claim on a text', () => {
  it('has one winner among processes that claim at once', async () => {
    for (let round = 0; round < ROUNDS; round += 1) {
      const ref = await insertText();
      const claims = await Promise.all([0, 1, 0, 1, 0, 1].map((index) => repository(index).claimText(ref)));
      expect(claims.filter((claim) => claim !== undefined)).toHaveLength(1);
    }
  });

  it('that has expired and was taken by another process stores nothing', async () => {
    const ref = await insertText();
    const first = await repository().claimText(ref);
    await makeDue(ref);
    const second = await repository(1).claimText(ref);
    if (first === undefined || second === undefined) throw new Error('Both must have claimed it.');
    expect(await repository().storePages(first, { pages: [{ page: 1, text: 'Late' }], warnings: [] })).toBe(
      false,
    );
    expect(await repository().storeFailure(first, 'damaged')).toBe(false);
    expect(await repository().renewClaim(first)).toBe(false);
    expect(await repository().releaseClaim(first, { waitSeconds: 0, counted: true })).toBe(false);
    expect(
      await repository(1).storePages(second, { pages: [{ page: 1, text: 'Hello' }], warnings: [] }),
    ).toBe(true);
    // Repeated after a lost acknowledgement.
    expect(
      await repository(1).storePages(second, { pages: [{ page: 1, text: 'Hello' }], warnings: [] }),
    ).toBe(false);
    expect(await rowOf(ref)).toMatchObject({ status: 'ready', pages: 1, page_count: 1, lease_id: null });
  });

  it('whose content is deleted at the same moment leaves no row and no page', async () => {
    for (let round = 0; round < ROUNDS; round += 1) {
      const ref = await insertText();
      const claimed = await repository().claimText(ref);
      if (claimed === undefined) throw new Error('It must be claimed.');
      await Promise.all([
        repository().storePages(claimed, { pages: [{ page: 1, text: 'Late' }], warnings: [] }),
        query(database(), 'DELETE FROM file_contents WHERE id = $1', [ref.contentId]),
      ]);
      expect(await rowOf(ref)).toBeUndefined();
      expect(await query(database(), 'SELECT FROM file_pages WHERE user_id = $1', [ref.userId])).toEqual([]);
    }
  });

  it('is neither given nor honored while the account is disabled', async () => {
    const ref = await insertText();
    const claimed = await repository().claimText(ref);
    if (claimed === undefined) throw new Error('It must be claimed.');
    await query(database(), 'UPDATE users SET disabled_at = now() WHERE id = $1', [ref.userId]);
    expect(await repository().storePages(claimed, { pages: [{ page: 1, text: 'Late' }], warnings: [] })).toBe(
      false,
    );
    await makeDue(ref);
    expect(await repository().claimText(ref)).toBeUndefined();
    expect(await rowOf(ref)).toMatchObject({ status: 'pending', pages: 0 });
  });

  it.each([
    ['2,000 pages with 20 million characters', 2_000, 10_000],
    ['one page with 20 million characters of three bytes', 1, 20_000_000],
  ])('stores %s within the timeout of a statement', async (_name, count, length) => {
    const ref = await insertText();
    const claimed = await repository().claimText(ref);
    if (claimed === undefined) throw new Error('It must be claimed.');
    const text = '漢字の文章はこう'.repeat(length / 8);
    const pages = Array.from({ length: count }, (_, index) => ({ page: index + 1, text }));
    expect(await repository().storePages(claimed, { pages, warnings: [] })).toBe(true);
    expect(await rowOf(ref)).toMatchObject({ status: 'ready', pages: count });
  });
});

describe('the runner', () => {
  it('extracts a text once, however many processes are notified of it at once', async () => {
    let extractions = 0;
    const extract = (): Promise<ExtractedText> => {
      extractions += 1;
      return Promise.resolve(READY);
    };
    const runners = [0, 1].map((index) => runnerOf(extract, undefined, undefined, index));
    const ref = await insertText();
    await Promise.all(Array.from({ length: 5 }, () => runners.map((runner) => runner.runText(ref))).flat());
    expect(extractions).toBe(1);
    expect(await rowOf(ref)).toMatchObject({ status: 'ready', attempts: 1, pages: 1 });
  });

  it('uses no attempt while the store is unavailable, and tries again later', async () => {
    const away = new AppError('service_unavailable', 'The store is unavailable.');
    const ref = await insertText();
    await runnerOf(readAll, () => Promise.reject(away)).runText(ref);
    expect(await rowOf(ref)).toMatchObject({ status: 'pending', attempts: 0, lease_id: null });
    expect(await repository().claimText(ref)).toBeUndefined();
  });

  it('fails a text as damaged if the store has refused its bytes for a day', async () => {
    const ref = await insertText();
    const refused = new Error('GetObject was refused: AccessDenied');
    const runner = runnerOf(readAll, () => Promise.reject(refused));
    await runner.runText(ref);
    expect(await rowOf(ref)).toMatchObject({ status: 'pending' });
    await query(
      database(),
      `UPDATE file_texts SET created_at = now() - interval '25 hours' WHERE content_id = $1`,
      [ref.contentId],
    );
    await makeDue(ref);
    await runner.runText(ref);
    expect(await rowOf(ref)).toMatchObject({ status: 'failed', error: 'damaged' });
  });

  it('uses no attempt while no process can be started, and tries again later', async () => {
    const ref = await insertText();
    for (let attempt = 0; attempt < 4; attempt += 1) {
      await makeDue(ref);
      await runnerOf(() => Promise.reject(new ProcessGoneError('fork failed'))).runText(ref);
    }
    expect(await rowOf(ref)).toMatchObject({ status: 'pending', attempts: 0, lease_id: null });
    expect(await repository().claimText(ref)).toBeUndefined();
  });

  it('fails a text as damaged if its bytes are gone', async () => {
    const ref = await insertText();
    await runnerOf(readAll, () => Promise.reject(new MissingContentError())).runText(ref);
    expect(await rowOf(ref)).toMatchObject({ status: 'failed', error: 'damaged' });
  });

  it('fails a text as damaged after three processes died of it', async () => {
    const ref = await insertText();
    for (let death = 0; death < 3; death += 1) {
      expect(await repository().claimText(ref)).toBeDefined();
      await makeDue(ref);
    }
    await runnerOf(() => Promise.resolve(READY)).runText(ref);
    expect(await rowOf(ref)).toMatchObject({ status: 'failed', error: 'damaged', pages: 0 });
  });

  it('fails a text as damaged after three processes were killed while they read it', async () => {
    const ref = await insertText();
    const runner = runnerOf(() => Promise.reject(new ProcessKilledError('SIGKILL')));
    for (const attempts of [1, 2]) {
      await makeDue(ref);
      await runner.runText(ref);
      expect(await rowOf(ref)).toMatchObject({ status: 'pending', attempts, lease_id: null });
    }
    await makeDue(ref);
    await runner.runText(ref);
    expect(await rowOf(ref)).toMatchObject({ status: 'failed', error: 'damaged' });
  });

  it.each(['the process stops', 'the account is disabled'] as const)(
    'releases its claim at once, without using an attempt, when %s',
    async (reason) => {
      const ref = await insertText();
      const operations = new ActiveOperations();
      const started = Promise.withResolvers<undefined>();
      const runner = runnerOf(
        (_document, signal) =>
          new Promise((_resolve, reject) => {
            started.resolve(undefined);
            signal.addEventListener('abort', () => {
              reject(new Error('aborted'));
            });
          }),
        undefined,
        operations,
      );
      const running = runner.runText(ref);
      await started.promise;
      if (reason === 'the process stops') await runner.stop();
      else operations.stop({ userId: ref.userId });
      await running;
      expect(await rowOf(ref)).toMatchObject({ status: 'pending', attempts: 0, lease_id: null });
      expect(await repository(1).claimText(ref)).toBeDefined();
    },
  );
});
