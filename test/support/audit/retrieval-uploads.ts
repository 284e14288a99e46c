import { randomUUID } from 'node:crypto';
import { type ApiResponse, at } from '../client.js';
import { COLLECTIONS } from '../rag-documents.js';
import { waitUnlessAborted } from './process-group.js';
import type { Random } from './random.js';
import { indexSettings, type RetrievalClient } from './retrieval-client.js';
import { type KnownCollection, learnDocument, newCollection } from './retrieval-model.js';
import { type AuditText, isReadable } from './retrieval-texts.js';

/** Maximum number of times a client sends a request. */
const TRIES = 8;

/** Adds a collection, whose name shows whether a request whose answer was lost has created it. */
export async function addCollection(
  client: RetrievalClient,
  random: Random,
  storm: AbortSignal,
): Promise<void> {
  const name = `c${randomUUID().slice(0, 6)}`;
  const body = { name, ...indexSettings(random) };
  for (let tries = 1; tries <= TRIES && !storm.aborted; tries += 1) {
    const outcome = await client.send(random, 'POST', COLLECTIONS, body);
    if (typeof outcome !== 'string') {
      // A request whose answer was lost may have created it.
      const found =
        outcome.status === 409 ? await client.send(random, 'GET', `${COLLECTIONS}/${name}`) : outcome;
      if (typeof found !== 'string') {
        if (found.status !== 200 && found.status !== 201)
          client.unexpected(client.name, 'a new collection', found);
        else client.collections.push(newCollection(String(at(found.body, 'id'))));
        client.count('collections');
        return;
      }
    }
    await waitUnlessAborted(random.whole(50, 300), storm);
  }
}

/** Uploads a new text, or one that a collection of any account has, once or several times at once. */
export async function uploadText(
  client: RetrievalClient,
  collection: KnownCollection,
  random: Random,
  storm: AbortSignal,
): Promise<void> {
  const { texts } = client.world;
  const isRepeated = texts.all.length > 0 && random.chance(0.15);
  const text = isRepeated
    ? random.pick(texts.all)
    : random.chance(0.06)
      ? texts.createDamaged()
      : texts.create(random);
  client.count(
    isRepeated ? 'uploads of known bytes' : isReadable(text) ? 'uploads' : 'uploads of damaged files',
  );
  const key = random.chance(0.3) ? randomUUID() : undefined;
  const doubles = random.chance(0.15) ? random.whole(1, 3) : 0;
  if (doubles > 0) client.count('uploads of the same bytes at once');
  const senders = Array.from({ length: doubles + 1 }, () => random.fork());
  await Promise.all(senders.map((dice) => uploadOnce(client, collection, text, { key, dice, storm })));
}

/** Uploads a text once; with a key it is sent again until it is answered. */
async function uploadOnce(
  client: RetrievalClient,
  collection: KnownCollection,
  text: AuditText,
  { key, dice, storm }: { key: string | undefined; dice: Random; storm: AbortSignal },
): Promise<void> {
  const { underway, lost } = collection;
  for (let tries = 1; tries <= TRIES && !storm.aborted; tries += 1) {
    underway.set(text, (underway.get(text) ?? 0) + 1);
    const outcome = await client.sendText(dice, collection, text, { key });
    if (outcome === 'lost') {
      lost.add(text);
      client.lostSendings.push(text);
    }
    if (typeof outcome !== 'string') takeUpload(client, collection, text, outcome);
    underway.set(text, (underway.get(text) ?? 0) - 1);
    if (typeof outcome !== 'string' || (outcome === 'lost' && key === undefined)) return;
    if (outcome === 'lost') client.count('uploads sent again with their key');
    await waitUnlessAborted(dice.whole(50, 300), storm);
  }
}

function takeUpload(
  client: RetrievalClient,
  collection: KnownCollection,
  text: AuditText,
  response: ApiResponse,
): void {
  const { status, body } = response;
  client.world.journal.note(
    text.name,
    `uploaded to ${collection.id}: ${status} ${String(at(body, 'id'))} ${String(at(body, 'file_id'))}`,
  );
  if (status === 200 || status === 202) {
    const document = learnDocument(collection, String(at(body, 'id')), text);
    if (!document.versions.some((version) => version.text === text))
      client.unexpected(document.id, `the upload of ${text.name}, which it never had,`, response);
    if (at(body, 'duplicate_of') !== undefined) client.count('uploads answered as duplicates');
    return;
  }
  // The document that has the same bytes may be deleted before it is read.
  const wasKnown =
    collection.lost.has(text) ||
    (collection.underway.get(text) ?? 0) > 1 ||
    collection.documents.some(({ versions }) => versions.some((version) => version.text === text));
  const code = at(body, 'error', 'code');
  if (status === 404 && (collection.isMaybeGone || wasKnown)) client.count('uploads answered 404');
  else client.unexpected(collection.id, `the upload of ${text.name} (${String(code)})`, response);
}
