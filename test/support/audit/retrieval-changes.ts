import { type ApiResponse, at } from '../client.js';
import { COLLECTIONS } from '../rag-documents.js';
import type { Random } from './random.js';
import { indexSettings, type RetrievalClient } from './retrieval-client.js';
import {
  isMaybeGone,
  type KnownCollection,
  type KnownDocument,
  markReady,
  type SentVersion,
} from './retrieval-model.js';

type Change = (client: RetrievalClient, collection: KnownCollection, random: Random) => Promise<void>;

/** Returns changes of a collection, of which one is to be chosen: frequent ones are in the list several times. */
export function changesOf(random: Random): readonly Change[] {
  return [
    ...Array.from({ length: 10 }, () => onDocument(lookAt)),
    ...Array.from({ length: 7 }, () => onDocument(replace)),
    ...Array.from({ length: 4 }, () => onDocument(deleteDocument)),
    ...Array.from({ length: 3 }, () => onDocument(deleteFile)),
    ...Array.from({ length: 3 }, () => onDocument(cancel)),
    ...Array.from({ length: 4 }, () => onDocument(retry)),
    ...Array.from({ length: 3 }, () => reindex),
    random.chance(0.5) ? deleteCollection : reindex,
  ];
}

/** Changes a document that no other client of the account is changing; mostly one of the latest. */
function onDocument(
  change: (client: RetrievalClient, document: KnownDocument, random: Random) => Promise<void>,
): Change {
  return async (client, collection, random) => {
    const free = collection.documents.filter((document) => !document.isBusy && !document.isMaybeGone);
    if (free.length === 0) return;
    const document = random.pick(random.chance(0.6) ? free.slice(-3) : free);
    document.isBusy = true;
    document.changes += 1;
    try {
      await change(client, document, random);
    } finally {
      document.isBusy = false;
    }
  };
}

function pathOf({ collection, id }: KnownDocument): string {
  return `${COLLECTIONS}/${collection.id}/documents/${id}`;
}

/** Returns true if a response says that the document does not exist, and reports it if it must exist. */
function isMissing(
  client: RetrievalClient,
  document: KnownDocument,
  what: string,
  response: ApiResponse,
): boolean {
  if (response.status !== 404) return false;
  if (!isMaybeGone(document)) client.unexpected(document.id, what, response);
  return true;
}

async function lookAt(client: RetrievalClient, document: KnownDocument, random: Random): Promise<void> {
  client.count('looks at documents');
  const response = await client.send(random, 'GET', pathOf(document));
  if (typeof response === 'string' || isMissing(client, document, 'a look', response)) return;
  if (response.status !== 200) client.unexpected(document.id, 'a look', response);
  else takeState(client, document, response.body);
}

/** Compares the state of a document with the one before, and learns from it what is shown. */
function takeState({ world: { journal } }: RetrievalClient, document: KnownDocument, body: unknown): void {
  const [status, progress] = [String(at(body, 'status')), Number(at(body, 'progress'))];
  journal.note(document.id, `is ${status} at ${progress}`);
  if (progress < document.progress) {
    document.restarts += 1;
    // A new index replaces the former one before documents that are not ready have come as far in it.
    if (document.isReady || document.restarts > document.collection.reindexes)
      journal.violate(document.id, `its progress went back to ${progress}`);
  }
  document.progress = progress;
  document.isReady = status === 'ready';
  // A lost replacement that happened has a progress of its own.
  if (document.versions.at(-1)?.state === 'lost') document.progress = 0;
  if (status === 'ready') markReady(document);
}

async function replace(client: RetrievalClient, document: KnownDocument, random: Random): Promise<void> {
  const { texts, journal } = client.world;
  const text = random.chance(0.1)
    ? random.pick(texts.all)
    : random.chance(0.08)
      ? texts.createDamaged()
      : texts.create(random);
  client.count('replacements');
  const version: SentVersion = { text, state: 'sent', goneAt: Infinity };
  document.versions.push(version);
  const outcome = await client.sendText(random, document.collection, text, { id: document.id });
  journal.note(
    document.id,
    `replaced by ${text.name}: ${typeof outcome === 'string' ? outcome : outcome.status}`,
  );
  journal.note(
    text.name,
    `replaced ${document.id}: ${typeof outcome === 'string' ? outcome : outcome.status}`,
  );
  if (outcome === 'lost') {
    version.state = 'lost';
    client.lostSendings.push(text);
  } else if (typeof outcome !== 'string' && outcome.status === 202) {
    version.state = 'accepted';
    document.isCancelled = false;
  } else document.versions.pop();
  if (version.state === 'accepted' || version.state === 'lost') document.progress = 0;
  if (typeof outcome === 'string' || outcome.status === 202) return;
  if (at(outcome.body, 'error', 'code') === 'duplicate_document') client.count('replacements by known bytes');
  else if (!isMissing(client, document, 'a replacement', outcome))
    client.unexpected(document.id, `a replacement by ${text.name}`, outcome);
}

async function deleteDocument(
  client: RetrievalClient,
  document: KnownDocument,
  random: Random,
): Promise<void> {
  client.count('deletions of documents');
  const outcome = await client.send(random, 'DELETE', pathOf(document));
  // Before this nothing was sent that could have deleted it.
  if (typeof outcome !== 'string' && isMissing(client, document, 'a deletion', outcome)) return;
  document.isMaybeGone = outcome !== 'unsent';
  client.world.journal.note(
    document.id,
    `deleted: ${typeof outcome === 'string' ? outcome : outcome.status}`,
  );
  if (typeof outcome === 'string') return;
  if (outcome.status === 204) document.goneAt = performance.now();
  else client.unexpected(document.id, 'a deletion', outcome);
}

/** Deletes the file that a document has at the moment, which deletes the document if nothing replaces it meanwhile. */
async function deleteFile(client: RetrievalClient, document: KnownDocument, random: Random): Promise<void> {
  const shown = await client.send(random, 'GET', pathOf(document));
  if (typeof shown === 'string' || shown.status !== 200) return;
  const path = `/api/v1/files/${String(at(shown.body, 'file_id'))}`;
  const content = await client.send(random, 'GET', `${path}/content`);
  if (typeof content === 'string' || content.status !== 200) return;
  const index = document.versions.findLastIndex(({ text }) => text.text === content.body);
  const version = document.versions[index];
  if (version === undefined) {
    client.world.journal.violate(
      document.id,
      `has a file that it was never sent: ${JSON.stringify(content.body)}`,
    );
    return;
  }
  client.count('deletions of files');
  const outcome = await client.send(random, 'DELETE', path);
  document.isMaybeGone = outcome !== 'unsent' && !(typeof outcome !== 'string' && outcome.status === 404);
  client.world.journal.note(
    document.id,
    `deleted the file of ${version.text.name}: ${typeof outcome === 'string' ? outcome : outcome.status}`,
  );
  if (typeof outcome === 'string' || outcome.status === 404) return;
  if (outcome.status !== 204) client.unexpected(document.id, 'the deletion of its file', outcome);
  version.goneAt = performance.now();
  const isAmbiguous = document.versions.some(({ text }, other) => other !== index && text === version.text);
  if (isAmbiguous) version.goneAt = Infinity;
  else if (index === document.versions.length - 1) document.goneAt = version.goneAt;
}

async function cancel(client: RetrievalClient, document: KnownDocument, random: Random): Promise<void> {
  client.count('cancellations');
  document.isCancelled = true;
  const outcome = await client.send(random, 'POST', `${pathOf(document)}/cancel`);
  if (typeof outcome === 'string' || isMissing(client, document, 'a cancellation', outcome)) return;
  if (outcome.status !== 200) client.unexpected(document.id, 'a cancellation', outcome);
  else takeState(client, document, outcome.body);
}

async function retry(client: RetrievalClient, document: KnownDocument, random: Random): Promise<void> {
  client.count('retries');
  const outcome = await client.send(random, 'POST', `${pathOf(document)}/retry`);
  if (typeof outcome === 'string' || isMissing(client, document, 'a retry', outcome)) return;
  if (at(outcome.body, 'error', 'code') === 'duplicate_document') client.count('retries of known bytes');
  else if (outcome.status !== 200) client.unexpected(document.id, 'a retry', outcome);
  else takeState(client, document, outcome.body);
}

async function reindex(client: RetrievalClient, collection: KnownCollection, random: Random): Promise<void> {
  client.count('reindexes');
  collection.changes += 1;
  // Before the request: others may see the new index before its response arrives.
  collection.reindexes += 1;
  const path = `${COLLECTIONS}/${collection.id}/reindex`;
  const outcome = await client.send(random, 'POST', path, indexSettings(random));
  if (typeof outcome !== 'string') {
    if (outcome.status === 202) collection.acceptedReindexes += 1;
    else collection.reindexes -= 1;
  }
  if (typeof outcome === 'string' || (outcome.status === 404 && collection.isMaybeGone)) return;
  if (outcome.status !== 202) client.unexpected(collection.id, 'a reindex', outcome);
}

async function deleteCollection(
  client: RetrievalClient,
  collection: KnownCollection,
  random: Random,
): Promise<void> {
  const wasGone = collection.isMaybeGone;
  collection.isMaybeGone = true;
  collection.changes += 1;
  const outcome = await client.send(random, 'DELETE', `${COLLECTIONS}/${collection.id}`);
  client.count('deletions of collections');
  client.world.journal.note(
    collection.id,
    `deleted: ${typeof outcome === 'string' ? outcome : outcome.status}`,
  );
  if (typeof outcome === 'string' || (outcome.status === 404 && wasGone)) return;
  if (outcome.status === 204) collection.goneAt = performance.now();
  else client.unexpected(collection.id, 'the deletion of a collection', outcome);
}
