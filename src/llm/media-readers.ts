import type { ResolvedModel } from './model-directory.js';
import type { MediaKind } from './port/index.js';

/** Longest wait for a provider that has to be asked what its model reads, in milliseconds. */
const ASK_MS = 5_000;

/**
 * The models of a chain that can be given all of these besides text, in the chain's order. What is not known counts as
 * yes: the model then says so itself.
 */
export async function readersAmong(
  chain: readonly ResolvedModel[],
  kinds: ReadonlySet<MediaKind>,
  keyFor: (provider: string) => Promise<string | undefined>,
): Promise<readonly ResolvedModel[]> {
  const reading = await Promise.all(
    chain.map(async (resolved) => {
      const apiKey = await keyFor(resolved.provider);
      const answers = await Promise.all(Array.from(kinds, (kind) => readsOne(resolved, kind, apiKey)));
      return answers.includes(false) ? [] : [resolved];
    }),
  );
  return reading.flat();
}

async function readsOne(
  { source, model }: ResolvedModel,
  kind: MediaKind,
  apiKey: string | undefined,
): Promise<boolean | undefined> {
  const asked = { model, signal: AbortSignal.timeout(ASK_MS), ...(apiKey !== undefined && { apiKey }) };
  // A provider that is away says nothing of what its models can do.
  return source.reads?.(kind, asked).catch(() => undefined);
}
