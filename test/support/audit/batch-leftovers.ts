import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { query } from '../stored.js';
import { REQUEST_WORD } from './batch-model.js';
import type { BatchWorld } from './batch-world.js';

/** Checks that each file of results belongs to a batch, and that the folder has the bytes of all files and no others. */
export async function auditResultFiles({
  database,
  dataDir,
  journal,
  cuts,
  processes,
}: BatchWorld): Promise<void> {
  const orphans = await query(
    database,
    `SELECT id, name FROM files WHERE purpose = 'batch_output'
       AND (SELECT count(*) FROM batches WHERE output_file_id = files.id OR error_file_id = files.id) <> 1`,
  );
  for (const { id, name } of orphans)
    journal.violate(String(id), `${String(name)} is not the file of one batch`);
  const missing = await query(
    database,
    `SELECT id FROM batches WHERE EXISTS (
       SELECT FROM unnest(ARRAY[output_file_id, error_file_id]) AS result (file_id)
       WHERE file_id IS NOT NULL AND NOT EXISTS (SELECT FROM files WHERE files.id = file_id))`,
  );
  for (const { id } of missing) journal.violate(String(id), 'has a file of results that does not exist');
  const contents = (await query(database, 'SELECT id FROM file_contents')).map(({ id }) => String(id));
  const entries = await readdir(join(dataDir.path, 'files'), { recursive: true, withFileTypes: true }).catch(
    () => [],
  );
  const names = new Set(entries.filter((entry) => entry.isFile()).map(({ name }) => name));
  for (const id of contents) if (!names.has(id)) journal.violate(id, 'is a content without bytes');
  const strays = names.size - contents.filter((id) => names.has(id)).length;
  if (strays > 0) journal.count('files of writers that died', strays);
  // A process ends two batches at once, each with two files. What it leaves, the sweep deletes after a day.
  const deaths = processes.kills.length + cuts.outages.length;
  if (strays > 4 * deaths + journal.countOf('lost uploads'))
    journal.violate('the folder', `has ${strays} files that belong to nothing`);
}

/** Checks that the Redis server of the run has no text of a request, in names or values. */
export async function auditRedis({ redis, journal }: BatchWorld): Promise<void> {
  if (redis === undefined) return;
  const client = new Redis(redis.url, { maxRetriesPerRequest: 1, retryStrategy: () => null });
  // The server may just have been killed.
  client.on('error', () => undefined);
  try {
    const keys = await client.keys('*');
    for (const key of keys) {
      // Null if it has expired in the meantime, which the type of the method leaves out.
      const value: unknown = await client.dumpBuffer(key);
      if (!Buffer.isBuffer(value)) continue;
      journal.count('keys of Redis read');
      if (key.includes(REQUEST_WORD) || value.includes(REQUEST_WORD))
        journal.violate('Redis', `has a text of a request in ${key}`);
    }
  } finally {
    client.disconnect();
  }
}

/** Deletes everything in the Redis server of the run. */
export async function flushRedis({ redis, journal }: BatchWorld): Promise<void> {
  if (redis === undefined) return;
  const client = new Redis(redis.url);
  await client.flushall();
  client.disconnect();
  journal.count('FLUSHALLs of Redis');
}
