import { type FakeProvider, startFakeProvider } from '../fake-provider/fake-provider.js';
import type { Behavior } from '../fake-provider/script.js';
import { at } from '../client.js';
import type { Random } from './random.js';

/** Share of the requests that the provider refuses or does not answer. */
const FAILURES = 0.1;

/** Enough for any storm. */
const SCRIPTED_REQUESTS = 20_000;

/** The requests that providers have received for an item, by their outcome. */
export interface ItemCalls {
  answered: number;
  failed: number;
}

/** A provider that fails some of its requests, and remembers which. */
export class BatchProvider {
  private constructor(
    readonly fake: FakeProvider,
    /** Indexes of the requests for chats that fail. */
    private readonly failures: ReadonlySet<number>,
  ) {}

  /** Starts a provider whose requests fail at random; without a generator none does. */
  static async start(random?: Random): Promise<BatchProvider> {
    const fake = await startFakeProvider();
    if (random === undefined) return new BatchProvider(fake, new Set());
    const behaviors = Array.from({ length: SCRIPTED_REQUESTS }, () => behaviorOf(random));
    fake.script(...behaviors);
    const failures = behaviors.flatMap(({ kind }, index) => (kind === 'answer' ? [] : [index]));
    return new BatchProvider(fake, new Set(failures));
  }

  /** Number of requests for chats so far. */
  get received(): number {
    return this.chats.length;
  }

  /** Adds the requests of each item to those of other providers, by the text of the item. */
  countCalls(calls: Map<string, ItemCalls>): void {
    for (const [index, { body }] of this.chats.entries()) {
      const text = String(at(body, 'messages', 0, 'content'));
      const counts = calls.get(text) ?? { answered: 0, failed: 0 };
      counts[this.failures.has(index) ? 'failed' : 'answered'] += 1;
      calls.set(text, counts);
    }
  }

  /** Resolves when no request is being answered. */
  async untilIdle(): Promise<void> {
    await Promise.all(this.chats.map(({ closed }) => closed));
  }

  private get chats(): FakeProvider['requests'] {
    return this.fake.requests.filter(({ route }) => route === 'chat');
  }
}

/** Returns a behavior. Refusals ask for short pauses: the storm must not be spent waiting for a provider. */
function behaviorOf(random: Random): Behavior {
  const delayBeforeMs = random.chance(0.1) ? random.whole(50, 500) : random.whole(0, 30);
  if (!random.chance(FAILURES)) return { kind: 'answer', delayBeforeMs };
  const retryAfterMs = random.whole(1, 150);
  const dice = random.next();
  if (dice < 0.4) return { kind: 'error', status: 429, retryAfterMs, delayBeforeMs };
  if (dice < 0.7) return { kind: 'error', status: 503, retryAfterMs, delayBeforeMs };
  if (dice < 0.85) return { kind: 'reset', delayBeforeMs };
  return { kind: 'malformedChunk', at: 0, delayBeforeMs };
}
