import { countWords } from '../fake-provider/answer.js';
import { elements, property } from '../fake-provider/unknown-value.js';
import { query } from '../stored.js';
import type { RetrievalClient } from './retrieval-client.js';
import { QUERY_WORD } from './retrieval-searches.js';
import type { RetrievalWorld } from './retrieval-world.js';

/** A time at which the provider received a text. */
interface Sending {
  readonly at: number;
  readonly hasFailed: boolean;
}

/**
 * Compares the ledger with the vectors that were ever stored and the requests that the provider received: each chunk is
 * paid for once, and again only if a kill, a failure or a change of its document prevented that its vector was stored.
 */
export async function auditLedger(world: RetrievalWorld, clients: readonly RetrievalClient[]): Promise<void> {
  const { database, journal, provider } = world;
  const stored = new Map<string, number>();
  for (const { text } of await query(database, 'SELECT text FROM embedded_log'))
    stored.set(String(text), (stored.get(String(text)) ?? 0) + 1);
  const storedTokens = Array.from(stored, ([text, times]) => countWords(text) * times).reduce(
    (a, b) => a + b,
    0,
  );
  const requests = provider.requests.filter(({ route }) => route === 'embeddings');
  const sent = new Map<string, Sending[]>();
  let receivedTokens = 0;
  for (const [index, { body, receivedAt }] of requests.entries()) {
    const hasFailed = world.failures.has(index);
    if (hasFailed) journal.count('failures of the provider');
    const input = property(body, 'input');
    for (const text of typeof input === 'string' ? [input] : elements(input).map(String)) {
      if (!hasFailed) receivedTokens += countWords(text);
      sent.set(text, [...(sent.get(text) ?? []), { at: receivedAt, hasFailed }]);
    }
  }
  const [ledger] = await query(
    database,
    `SELECT coalesce(sum(input_tokens) FILTER (WHERE NOT estimated), 0)::int AS tokens FROM usage_records
     WHERE model LIKE '%embedder' OR model LIKE '%other'`,
  );
  const billedTokens = Number(ledger?.['tokens']);
  journal.note(
    'the ledger',
    `${billedTokens} tokens, ${storedTokens} of stored chunks, ${receivedTokens} received`,
  );
  journal.count(
    'chunks embedded',
    stored.values().reduce((sum, times) => sum + times, 0),
  );
  if (billedTokens < storedTokens)
    journal.violate('the ledger', `has ${storedTokens - billedTokens} tokens less than the stored chunks`);
  if (billedTokens > receivedTokens)
    journal.violate(
      'the ledger',
      `has ${billedTokens - receivedTokens} tokens more than the provider received`,
    );
  for (const [text, sendings] of sent) {
    if (text.startsWith(QUERY_WORD)) continue;
    const answered = sendings.filter(({ hasFailed }) => !hasFailed);
    const wasted = answered.length - (stored.get(text) ?? 0);
    if (wasted <= 0) continue;
    journal.count('chunks embedded in vain', wasted);
    const explained = explanations(world, clients, text, answered);
    if (wasted > explained)
      journal.violate(
        'the ledger',
        `${wasted} of ${answered.length} vectors were not stored, of which ${explained} are explained: ${text.slice(0, 60)}`,
      );
  }
}

/** Counts what may have kept the vectors of a chunk from being stored. */
function explanations(
  { processes, texts, taken }: RetrievalWorld,
  clients: readonly RetrievalClient[],
  chunk: string,
  sendings: readonly Sending[],
): number {
  const first = Math.min(...sendings.map(({ at }) => at));
  // Each kill ends what runs for the active index and for one that is being built.
  const kills = processes.kills.filter(({ at }) => at > first).length * 2;
  const named = texts.in(chunk);
  const documents = clients
    .flatMap(({ collections }) => collections.flatMap((collection) => collection.documents))
    .filter(({ versions }) => named.size === 0 || versions.some(({ text }) => named.has(text)));
  const interruptions = documents.map(
    (document) =>
      2 * (document.changes + document.collection.changes) + taken.filter((id) => id === document.id).length,
  );
  const lost = clients
    .flatMap(({ collections }) => collections)
    .filter((collection) => collection.lost.values().some((text) => named.has(text)))
    .map(({ changes }) => 2 * changes);
  return [...interruptions, ...lost].reduce((sum, count) => sum + count, kills);
}
