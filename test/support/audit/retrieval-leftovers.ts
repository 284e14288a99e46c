import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { query, until } from '../stored.js';
import { SETTLED_MS } from './retrieval-audit.js';
import type { RetrievalClient } from './retrieval-client.js';
import type { RetrievalWorld } from './retrieval-world.js';

/** Checks that nothing is left of what was deleted or replaced: rows of files, texts and bytes in the folder. */
export async function auditLeftovers(
  world: RetrievalWorld,
  clients: readonly RetrievalClient[],
): Promise<void> {
  const { database, journal, texts, dataDir } = world;
  const lost = clients.flatMap(({ lostSendings }) => lostSendings);
  const files = await query(
    database,
    `SELECT id, encode(hash, 'hex') AS hex FROM files WHERE NOT EXISTS (
       SELECT 1 FROM documents WHERE documents.file_id = files.id UNION ALL
       SELECT 1 FROM ingestions WHERE ingestions.file_id = files.id)`,
  );
  for (const { id, hex } of files) {
    // The server died after it had stored the file, and before the document.
    const text = texts.byHash(String(hex));
    const index = lost.findIndex((one) => one === text);
    if (index === -1)
      journal.violate(text?.name ?? String(id), `left the file ${String(id)} without a document`);
    else lost.splice(index, 1);
    journal.count('files of lost requests');
  }
  const rows = await query(
    database,
    `SELECT 'content' AS what, id::text FROM file_contents WHERE NOT EXISTS (
       SELECT 1 FROM files WHERE files.content_id = file_contents.id)
     UNION ALL SELECT 'chunk', ingestion_id::text FROM chunks LEFT JOIN ingestions ON ingestions.id = ingestion_id
       WHERE ingestions.id IS NULL
     UNION ALL SELECT 'terms', ingestion_id::text FROM chunk_terms LEFT JOIN ingestions ON ingestions.id = ingestion_id
       WHERE ingestions.id IS NULL
     UNION ALL SELECT 'vector', ingestion_id::text FROM chunk_embeddings LEFT JOIN ingestions ON ingestions.id = ingestion_id
       WHERE ingestions.id IS NULL
     UNION ALL SELECT 'signs', ingestion_id::text FROM chunk_signs LEFT JOIN chunk_embeddings USING (ingestion_id, ordinal)
       WHERE chunk_embeddings.ordinal IS NULL`,
  );
  for (const { what, id } of rows) journal.violate(String(id), `left a ${String(what)}`);
  const strays = async (): Promise<string[]> => {
    const known = await query(database, 'SELECT id FROM file_contents');
    const ids = new Set(known.map(({ id }) => String(id)));
    const entries = await readdir(join(dataDir.path, 'files'), { recursive: true, withFileTypes: true });
    return entries.filter((entry) => entry.isFile() && !ids.has(entry.name)).map(({ name }) => name);
  };
  // Those of requests that died before they had stored a row are deleted after a day.
  const isClean = async (): Promise<boolean> => (await strays()).length <= lost.length;
  await until('the bytes to be deleted', isClean, SETTLED_MS).catch(async () => {
    journal.violate(
      'the folder',
      `has ${(await strays()).join()}, and only ${lost.length} requests were lost`,
    );
  });
  for (const name of await strays()) journal.note('the folder', `has ${name} of a lost request`);
}
