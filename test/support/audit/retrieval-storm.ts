import { at, listAt, registerUser } from '../client.js';
import { COLLECTIONS } from '../rag-documents.js';
import { until } from '../stored.js';
import type { Run } from './audit-runs.js';
import { type ProcessOptions, waitUnlessAborted } from './process-group.js';
import { Random } from './random.js';
import { auditDocuments, settleRetrieval } from './retrieval-audit.js';
import { changesOf } from './retrieval-changes.js';
import { RetrievalClient } from './retrieval-client.js';
import { auditLedger } from './retrieval-ledger.js';
import { auditLeftovers } from './retrieval-leftovers.js';
import { searchAtRandom } from './retrieval-searches.js';
import { addCollection, uploadText } from './retrieval-uploads.js';
import { RetrievalWorld } from './retrieval-world.js';

/** Duration of the requests, in milliseconds. */
const STORM_MS = 9000;

/** Duration of the kills if claims of the dead must be distinguished from those of the living, in milliseconds. */
const KILLING_MS = 8000;

/** Minimum time between a restart and the next kill, in milliseconds: that of a short text until it is ready. */
const UNKILLED_MS = 1000;

const ACCOUNTS = 4;

/** Documents of each account that are ready before the storm. */
const FIRST_DOCUMENTS = 4;

/** Clients of each account that change its documents, and that search, at once. */
const CLIENTS = { changing: 2, searching: 1 } as const;

/** Maximum number of collections that an account has at once. */
const MAX_COLLECTIONS = 3;

/** Runs accounts in a storm, and the audit of their documents after it. A seed reproduces every decision. */
export async function runRetrievalStorm(seed: number, options: ProcessOptions): Promise<Run> {
  const random = new Random(seed);
  const world = await RetrievalWorld.create(random.fork(), options);
  try {
    const clients = await Promise.all(
      Array.from({ length: ACCOUNTS }, async (_, index) => {
        const { token } = await registerUser(world.processes.url(random));
        return new RetrievalClient(`account ${index}`, token, world);
      }),
    );
    await Promise.all(clients.map((client) => prepare(client, random.fork())));
    const storm = new AbortController();
    const killing = world.processes.killAtRandom(
      random.fork(),
      options.processes === 1 ? storm.signal : AbortSignal.timeout(KILLING_MS),
      UNKILLED_MS,
    );
    const working = clients.flatMap((client) => [
      ...Array.from({ length: CLIENTS.changing }, () => changeAtRandom(client, random.fork(), storm.signal)),
      ...Array.from({ length: CLIENTS.searching }, () => searchAtRandom(client, random.fork(), storm.signal)),
    ]);
    await world.processes.runFor(STORM_MS);
    storm.abort();
    await Promise.all([killing, ...working]);
    const ended = performance.now();
    world.stopFailures();
    if (options.processes > 1) await world.takeDeadClaims();
    await settleRetrieval(world);
    const settledMs = performance.now() - ended;
    await auditDocuments(world, clients, random.fork());
    await auditLeftovers(world, clients);
    await auditLedger(world, clients);
    return world.journal.toRun(settledMs);
  } finally {
    await world.close();
  }
}

/** Adds a collection with some documents and waits until they are ready. */
async function prepare(client: RetrievalClient, random: Random): Promise<void> {
  const { signal } = new AbortController();
  await addCollection(client, random, signal);
  const [collection] = client.collections;
  if (collection === undefined) throw new Error('A collection could not be added.');
  for (let count = 0; count < FIRST_DOCUMENTS; count += 1)
    await uploadText(client, collection, random, signal);
  const path = `${COLLECTIONS}/${collection.id}/documents`;
  await until('the first documents', async () => {
    const list = await client.send(random, 'GET', path);
    const states = typeof list === 'string' ? [] : listAt(list.body, 'data').map((one) => at(one, 'status'));
    return states.length > 0 && !states.some((state) => state === 'queued' || state === 'processing');
  });
}

/** Sends one change after another until the storm is over. Several of these run at once for an account. */
async function changeAtRandom(client: RetrievalClient, random: Random, storm: AbortSignal): Promise<void> {
  while (!storm.aborted) {
    const dice = random.fork();
    const { live } = client;
    const collection = live.length === 0 ? undefined : dice.pick(live);
    if (collection === undefined || (live.length < MAX_COLLECTIONS && dice.chance(0.15)))
      await addCollection(client, dice, storm);
    else if (dice.chance(0.5)) await uploadText(client, collection, dice, storm);
    else await dice.pick(changesOf(dice))(client, collection, dice);
    await waitUnlessAborted(dice.whole(0, 150), storm);
  }
}
