import { at, listAt } from '../client.js';
import { COLLECTIONS } from '../rag-documents.js';
import { query, type Row, until } from '../stored.js';
import type { Random } from './random.js';
import type { RetrievalClient } from './retrieval-client.js';
import {
  possiblyLatest,
  possiblyShown,
  type KnownCollection,
  type KnownDocument,
} from './retrieval-model.js';
import { type AuditText, isReadable } from './retrieval-texts.js';
import { QUERY_WORD } from './retrieval-searches.js';
import type { RetrievalWorld } from './retrieval-world.js';

/** Time by which all work must have ended, and nothing of what was deleted be left, in milliseconds. */
export const SETTLED_MS = 60_000;

/** Number of processes that may die at a text before it is given up. */
const FATAL_KILLS = 3;

/** Work that is not finished. */
const UNFINISHED = `
  SELECT 'an ingestion' AS what, id::text, status::text AS detail FROM ingestions WHERE due_at IS NOT NULL
  UNION ALL SELECT 'a deleted collection', id::text, name FROM collections WHERE deleted_at IS NOT NULL
  UNION ALL SELECT 'an index', id::text, status::text FROM collection_indexes WHERE status <> 'active'
  UNION ALL SELECT 'a text', content_id::text, error FROM file_texts WHERE status = 'pending'`;

/** Waits until nothing runs any more, and reports what has not ended. */
export async function settleRetrieval({ database, journal }: RetrievalWorld): Promise<void> {
  const ended = async (): Promise<boolean> => (await query(database, UNFINISHED)).length === 0;
  try {
    await until('the end of all work', ended, SETTLED_MS);
  } catch {
    for (const { what, id, detail } of await query(database, UNFINISHED))
      journal.violate(String(id), `${String(what)} has not ended: ${String(detail)}`);
  }
}

/** The latest version of a document in the database, and the one that searches see. */
interface StoredDocument {
  readonly latest: Row;
  readonly visible: Row | undefined;
}

/** Compares what is stored with what was sent, once nothing runs any more. Adds violations to the journal. */
export async function auditDocuments(
  world: RetrievalWorld,
  clients: readonly RetrievalClient[],
  random: Random,
): Promise<void> {
  const rows = await query(
    world.database,
    `SELECT ingestions.*, encode(ingestions.hash, 'hex') AS hex, documents.collection_id,
       documents.file_id AS document_file,
       (SELECT count(*)::int FROM chunks WHERE ingestion_id = ingestions.id) AS chunks,
       (SELECT count(*)::int FROM chunk_terms WHERE ingestion_id = ingestions.id) AS terms,
       (SELECT count(*)::int FROM chunk_embeddings WHERE ingestion_id = ingestions.id) AS vectors,
       collection_indexes.embedding_model
     FROM ingestions JOIN documents ON documents.id = document_id
     JOIN collection_indexes ON collection_indexes.id = index_id ORDER BY ingestions.version`,
  );
  const stored = Map.groupBy(rows, ({ document_id: id }) => String(id));
  for (const [key, equal] of Map.groupBy(
    rows,
    (row) => `${String(row['collection_id'])} ${String(row['hex'])}`,
  ))
    if (equal.filter(({ visible }) => visible === true).length > 1)
      world.journal.violate(String(equal[0]?.['document_id']), `is there ${equal.length} times: ${key}`);
  const documentRows = await query(world.database, 'SELECT id, collection_id FROM documents');
  for (const client of clients) {
    for (const collection of client.collections) {
      const present = documentRows
        .filter(({ collection_id: id }) => id === collection.id)
        .map(({ id }) => String(id));
      if (collection.goneAt < Infinity && present.length > 0)
        world.journal.violate(collection.id, `was deleted, and has the documents ${present.join()}`);
      if (!collection.isMaybeGone) await auditList(client, collection, present, random);
      for (const id of present) await auditDocument(client, collection, id, stored.get(id) ?? [], random);
      auditMissing(world, collection, present);
    }
  }
  const known = new Set(clients.flatMap(({ collections }) => collections.map(({ id }) => id)));
  for (const { id, collection_id: collection } of documentRows)
    if (!known.has(String(collection))) world.journal.violate(String(id), 'is in a collection of nobody');
}

/** Checks that a document that was not deleted exists. */
function auditMissing(
  { journal }: RetrievalWorld,
  collection: KnownCollection,
  present: readonly string[],
): void {
  for (const document of collection.documents) {
    const exists = present.includes(document.id);
    if (exists && document.goneAt < Infinity) journal.violate(document.id, 'was deleted, and exists');
    if (!exists && !document.isMaybeGone && !collection.isMaybeGone)
      journal.violate(document.id, 'does not exist');
  }
}

/** Checks that the list of a collection has the stored documents. */
async function auditList(
  client: RetrievalClient,
  collection: KnownCollection,
  present: readonly string[],
  random: Random,
): Promise<void> {
  const listed: string[] = [];
  for (let after = ''; ;) {
    const path = `${COLLECTIONS}/${collection.id}/documents?limit=100${after}`;
    const page = await client.send(random, 'GET', path);
    if (typeof page === 'string' || page.status !== 200) {
      client.world.journal.violate(
        collection.id,
        `its list answered ${typeof page === 'string' ? page : page.status}`,
      );
      return;
    }
    const ids = listAt(page.body, 'data').map((document) => String(at(document, 'id')));
    listed.push(...ids);
    if (at(page.body, 'has_more') !== true) break;
    after = `&after=${String(ids.at(-1))}`;
  }
  if (listed.toSorted().join() !== present.toSorted().join())
    client.world.journal.violate(collection.id, `lists ${listed.join()}, and has ${present.join()}`);
}

async function auditDocument(
  client: RetrievalClient,
  collection: KnownCollection,
  id: string,
  versions: readonly Row[],
  random: Random,
): Promise<void> {
  const { journal, texts } = client.world;
  const latest = versions.at(-1);
  if (latest === undefined) {
    journal.violate(id, 'has no version');
    return;
  }
  const visible = versions.find((row) => row['visible'] === true);
  if (versions.some((row) => row !== latest && row !== visible))
    journal.violate(id, `has ${versions.length} versions, of which one is the latest and one is visible`);
  const document = collection.documents.find((known) => known.id === id);
  const sent = versions.map((row) => texts.byHash(String(row['hex'])));
  journal.count(`documents ${String(latest['status'])}`);
  if (sent.some((text) => text === undefined)) journal.violate(id, 'has a version that was never sent');
  const latestText = texts.byHash(String(latest['hex']));
  const visibleText = visible && texts.byHash(String(visible['hex']));
  journal.note(
    id,
    `stored: version ${String(latest['version'])} ${String(latestText?.name)} ${String(latest['status'])} ${String(latest['error_code'])}, visible ${String(visibleText?.name)}`,
  );
  if (document !== undefined) auditVersions(client.world, document, { latest, visible });
  else if (latestText === undefined || !collection.lost.delete(latestText))
    journal.violate(id, `is of ${String(latestText?.name)}, of which no upload was lost`);
  if (document === undefined) auditEnd(client.world, id, latest, false);
  if (visible !== undefined && visibleText !== undefined)
    await auditVisible(client, collection, { id, row: visible, text: visibleText }, random);
}

/** Checks that the stored versions of a document are ones that it may have. */
function auditVersions(
  world: RetrievalWorld,
  document: KnownDocument,
  { latest, visible }: StoredDocument,
): void {
  const { journal, texts } = world;
  const latestText = texts.byHash(String(latest['hex']));
  const names = (versions: readonly { readonly text: AuditText }[]): string =>
    versions.map(({ text }) => text.name).join(' or ');
  const possible = possiblyLatest(document);
  if (!possible.some(({ text }) => text === latestText))
    journal.violate(
      document.id,
      `has ${String(latestText?.name)} as its latest version, and not ${names(possible)}`,
    );
  auditEnd(world, document.id, latest, document.isCancelled);
  if (visible === undefined) {
    if (document.ready !== -1) journal.violate(document.id, 'was ready, and nothing of it is visible');
    return;
  }
  const visibleText = texts.byHash(String(visible['hex']));
  const shown = possiblyShown(document);
  if (!shown.some(({ text }) => text === visibleText))
    journal.violate(document.id, `shows ${String(visibleText?.name)}, and not ${names(shown)}`);
}

/** Checks that the latest version has ended for a reason that the audit has provoked. */
function auditEnd(
  { journal, texts, processes }: RetrievalWorld,
  id: string,
  { hex, status, visible, error_code: code }: Row,
  isCancelled: boolean,
): void {
  const text = texts.byHash(String(hex));
  const isDamaged = text !== undefined && !isReadable(text);
  // A text at which so many processes died counts as damaged.
  const mayFail = isDamaged || processes.kills.length >= FATAL_KILLS;
  const isExplained =
    (status === 'ready' && visible === true && !isDamaged) ||
    (status === 'failed' && code === 'damaged' && mayFail) ||
    (status === 'cancelled' && isCancelled);
  if (!isExplained)
    journal.violate(id, `ended as ${String(status)} (${String(code)}), visible: ${String(visible)}`);
}

/** Checks that the chunks of a visible version are the text that was sent, and that each paragraph is found. */
async function auditVisible(
  client: RetrievalClient,
  collection: KnownCollection,
  { id, row, text }: { readonly id: string; readonly row: Row; readonly text: AuditText },
  random: Random,
): Promise<void> {
  const { journal, database } = client.world;
  const { chunks: count, terms, vectors, embedding_model: model, chunk_count: claimed } = row;
  if (count !== claimed || terms !== count || vectors !== (model === null ? 0 : count))
    journal.violate(
      id,
      `has ${String(count)} of ${String(claimed)} chunks, ${String(terms)} terms, ${String(vectors)} vectors`,
    );
  if (row['file_id'] !== row['document_file'])
    journal.violate(id, 'has another file than its visible version');
  const chunks = await query(
    database,
    `SELECT page, start, "end", text FROM chunks WHERE ingestion_id = $1 ORDER BY ordinal`,
    [row['id']],
  );
  let end = 0;
  for (const chunk of chunks) {
    const [start, stop] = [Number(chunk['start']), Number(chunk['end'])];
    if (text.text.slice(start, stop) !== chunk['text'])
      journal.violate(id, `its chunk at ${start} is not ${text.name}`);
    if (start > end && text.text.slice(end, start).trim() !== '')
      journal.violate(id, `lacks ${JSON.stringify(text.text.slice(end, start))} of ${text.name}`);
    end = Math.max(end, stop);
  }
  if (text.text.slice(end).trim() !== '')
    journal.violate(id, `lacks the end of ${text.name}: ${text.text.slice(end)}`);
  if (collection.isMaybeGone) return;
  const path = `/api/v1/files/${String(row['file_id'])}/text?page=1`;
  const page = await client.send(random, 'GET', path);
  if (typeof page === 'string' || at(page.body, 'pages', 0, 'text') !== text.text)
    journal.violate(id, `its stored text is not ${text.name}: ${JSON.stringify(page)}`);
  for (const word of text.words) await auditWord(client, collection, { id, text, word }, random);
}

async function auditWord(
  client: RetrievalClient,
  collection: KnownCollection,
  { id, text, word }: { readonly id: string; readonly text: AuditText; readonly word: string },
  random: Random,
): Promise<void> {
  client.count('words looked for');
  const query = `${QUERY_WORD} ${word}`;
  const body = { query, collection: collection.id, mode: 'lexical', top_k: 5 };
  const found = await client.send(random, 'POST', '/api/v1/rag/search', body);
  const place = text.text.indexOf(`${word} `);
  const hits = typeof found === 'string' ? [] : listAt(found.body, 'data');
  const isFound = hits.some(
    (hit) =>
      at(hit, 'document_id') === id &&
      Number(at(hit, 'start')) <= place &&
      Number(at(hit, 'end')) >= place + word.length,
  );
  if (!isFound) client.world.journal.violate(id, `its word ${word} is not found: ${JSON.stringify(found)}`);
}
