import { type ApiResponse, at, listAt, streamEvents } from '../client.js';
import { waitUnlessAborted } from './process-group.js';
import type { Random } from './random.js';
import type { RetrievalClient } from './retrieval-client.js';
import { isGone, type KnownCollection } from './retrieval-model.js';
import { type AuditText, isReadable } from './retrieval-texts.js';
import type { RetrievalWorld } from './retrieval-world.js';

/** First word of every query, by which the requests for its embedding are distinguished from those for documents. */
export const QUERY_WORD = 'find';

/** A search as it was sent. */
interface SentSearch {
  readonly collections: readonly KnownCollection[];
  /** Time before it was sent. */
  readonly at: number;
}

/** Searches and asks for an account until the storm is over. */
export async function searchAtRandom(
  client: RetrievalClient,
  random: Random,
  storm: AbortSignal,
): Promise<void> {
  while (!storm.aborted) {
    const dice = random.fork();
    await waitUnlessAborted(dice.whole(0, 120), storm);
    const live = client.live;
    if (live.length === 0) continue;
    const collections = dice.chance(0.3) ? live : [dice.pick(live)];
    const sent = { collections, at: performance.now() };
    const body = {
      collections: collections.map(({ id }) => id),
      mode: dice.pick(['lexical', 'hybrid', 'hybrid', 'vector']),
      top_k: dice.pick([3, 10, 50]),
    };
    const words = wordsOf(client, dice);
    if (dice.chance(0.75)) await search(client, sent, { ...body, query: words }, dice);
    else if (dice.chance(0.5)) await ask(client, sent, { ...body, question: words, stream: false }, dice);
    else await askStreaming(client, sent, { ...body, question: words }, dice);
  }
}

/** Chooses words of a text, mostly one of the account and a late one, or words of many texts. */
function wordsOf({ world, collections }: RetrievalClient, random: Random): string {
  const own = collections.flatMap(({ documents }) => documents.flatMap(({ versions }) => versions));
  const texts = random.chance(0.8) ? own.map(({ text }) => text) : world.texts.all;
  const readable = texts.filter(isReadable);
  if (readable.length === 0 || random.chance(0.2)) return `${QUERY_WORD} lorem ipsum`;
  const text = random.pick(random.chance(0.6) ? readable.slice(-20) : readable);
  return `${QUERY_WORD} ${random.pick(text.words)}${random.chance(0.3) ? ' lorem' : ''}`;
}

async function search(
  client: RetrievalClient,
  sent: SentSearch,
  body: object,
  random: Random,
): Promise<void> {
  client.count('searches');
  const outcome = await client.send(random, 'POST', '/api/v1/rag/search', body);
  if (typeof outcome === 'string') return;
  if (outcome.status === 200) checkPassages(client, sent, listAt(outcome.body, 'data'), 'text');
  else explainRefusal(client, sent, 'a search', outcome);
}

async function ask(client: RetrievalClient, sent: SentSearch, body: object, random: Random): Promise<void> {
  client.count('questions');
  const outcome = await client.send(random, 'POST', '/api/v1/rag/query', body);
  if (typeof outcome === 'string') return;
  if (outcome.status !== 200) {
    explainRefusal(client, sent, 'a question', outcome);
    return;
  }
  const sources = listAt(outcome.body, 'sources');
  checkPassages(client, sent, sources, 'snippet');
  checkMarkers(client, String(at(outcome.body, 'answer')), sources);
}

async function askStreaming(
  client: RetrievalClient,
  sent: SentSearch,
  body: object,
  random: Random,
): Promise<void> {
  client.count('streamed questions');
  let sources: unknown[] = [];
  let answer = '';
  // What was shown before the process died must be right too.
  await client.world.processes.send(random, client.token, async (_user, url) => {
    const events = streamEvents(`${url}/api/v1/rag/query`, {
      method: 'POST',
      body,
      headers: { authorization: `Bearer ${client.token}` },
    });
    for await (const { data } of events) {
      if (at(data, 'sources') !== undefined) sources = listAt(data, 'sources');
      const delta = at(data, 'delta');
      if (typeof delta === 'string') answer += delta;
    }
    return { status: 200, headers: new Headers(), body: undefined };
  });
  checkPassages(client, sent, sources, 'snippet');
  checkMarkers(client, answer, sources);
}

/** Reports a refusal unless a collection may be gone, or the provider has failed. */
function explainRefusal(
  client: RetrievalClient,
  sent: SentSearch,
  what: string,
  response: ApiResponse,
): void {
  const code = String(at(response.body, 'error', 'code'));
  client.count(`refusals of searches (${code})`);
  if (response.status === 404 && sent.collections.some(({ isMaybeGone }) => isMaybeGone)) return;
  // Collections with different models cannot be searched by meaning together.
  if (code === 'reindex_required' || code.startsWith('provider_') || code === 'invalid_request') return;
  client.unexpected(client.name, what, response);
}

/** Checks that each marker of an answer is the number of a source. */
function checkMarkers(client: RetrievalClient, answer: string, sources: readonly unknown[]): void {
  const numbers = new Set(sources.map((source) => Number(at(source, 'index'))));
  for (const [marker, inner = ''] of answer.matchAll(/ \[([\d ,;]+)\]/g)) {
    if (inner.split(/[,;]/).some((number) => !numbers.has(Number(number))))
      client.world.journal.violate(
        client.name,
        `the marker${marker} is of none of ${numbers.size} sources: ${answer}`,
      );
  }
}

/** Checks that each passage is of the account, of a version that exists, and that its span is its text. */
function checkPassages(
  client: RetrievalClient,
  sent: SentSearch,
  passages: readonly unknown[],
  field: 'text' | 'snippet',
): void {
  if (passages.length === 0) client.count('searches without a passage');
  const shown = new Map<string, AuditText>();
  for (const passage of passages) {
    client.count('passages');
    const documentId = String(at(passage, 'document_id'));
    const violate = (what: string): void => {
      client.world.journal.violate(documentId, `${client.name} was shown a passage that ${what}`);
    };
    const text = textOfPassage(client.world, passage, field, violate);
    if (text === undefined) continue;
    const other = shown.get(documentId);
    if (other !== undefined && other !== text) violate(`is of ${text.name}, beside one of ${other.name}`);
    shown.set(documentId, text);
    const collection = sent.collections.find(({ id }) => id === at(passage, 'collection_id'));
    const document = collection?.documents.find(({ id }) => id === documentId);
    if (collection === undefined) violate('is of a collection that was not searched');
    else if (document === undefined) {
      const isPossible = collection.lost.has(text) || (collection.underway.get(text) ?? 0) > 0;
      if (!isPossible) violate(`is of ${text.name}, which was not sent to its collection`);
      if (collection.goneAt < sent.at) violate('is of a collection that was deleted before');
    } else if (!document.versions.some((version) => version.text === text))
      violate(`is of ${text.name}, which was never a version of its document`);
    else if (isGone(document, text, sent.at))
      violate(`is of ${text.name}, which was deleted or replaced before the request`);
  }
}

/** Returns the text that a passage is of, if it is of one and its span is right. */
function textOfPassage(
  { texts }: RetrievalWorld,
  passage: unknown,
  field: 'text' | 'snippet',
  violate: (what: string) => void,
): AuditText | undefined {
  const text = String(at(passage, field));
  const [start, end] = [Number(at(passage, 'start')), Number(at(passage, 'end'))];
  const named = texts.in(text);
  if (named.size > 1) violate(`has words of ${named.size} texts: ${text}`);
  const [found] = named;
  // The part of a long paragraph after its word.
  const source = found ?? texts.all.find((candidate) => candidate.text.slice(start, end) === text);
  if (source === undefined) violate(`is of no text: ${JSON.stringify(text)}`);
  else if (source.text.slice(start, end) !== text)
    violate(`is not at ${start} to ${end} of ${source.name}: ${text}`);
  else return found;
  return undefined;
}
