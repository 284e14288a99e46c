import { type ContextMessage, TOKENS_PER_MESSAGE } from './context.repository.js';

/**
 * A path without the rest of an exchange whose question does not stand in it: an answer without its question says
 * nothing, and some providers refuse it. Behind a summary nothing is missing, for the question is summed up there.
 * @param summarized the last message of the summary that the path follows
 */
export function withoutTornExchange(
  path: readonly ContextMessage[],
  summarized: string | undefined,
): readonly ContextMessage[] {
  const whole = isWhole(path, summarized);
  // What a tool said must follow the call, wherever that stands.
  const first = path.findIndex(({ role }) => role === 'user' || (whole && role === 'assistant'));
  return path.slice(Math.max(0, first));
}

/**
 * The last message that a summary shall cover: the older half of what still fits and a little more, so that not every
 * turn needs a new one, and whole exchanges, but never the last one before the question. Undefined where nothing is left
 * out.
 * @param path the end of the path, with the question as its last message
 * @param summarized the last message of the summary that the path follows
 */
export function summarizeUpTo(
  path: readonly ContextMessage[],
  summarized: string | undefined,
): string | undefined {
  if (isWhole(path, summarized)) return undefined;
  const ends = endsOfExchanges(path);
  const beforeQuestion = ends.pop();
  const half = (beforeQuestion?.tokens ?? 0) / 2;
  return (ends.find(({ tokens }) => tokens >= half) ?? ends.at(-1) ?? beforeQuestion)?.id;
}

/** The messages before those of the user, which begin an exchange each, with the tokens of the path up to there. */
function endsOfExchanges(path: readonly ContextMessage[]) {
  const ends: { readonly id: string; readonly tokens: number }[] = [];
  let tokens = 0;
  for (const { role, parentId, tokenCount } of path) {
    if (role === 'user' && parentId !== null) ends.push({ id: parentId, tokens });
    tokens += tokenCount + TOKENS_PER_MESSAGE;
  }
  return ends;
}

/** Whether a path has everything from the beginning of the conversation on, or from the end of a summary. */
function isWhole([oldest]: readonly ContextMessage[], summarized: string | undefined): boolean {
  return oldest === undefined || oldest.parentId === null || oldest.parentId === summarized;
}
