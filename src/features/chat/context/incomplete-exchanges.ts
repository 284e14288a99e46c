import { type ContextMessage, TOKENS_PER_MESSAGE } from './context.repository.js';

/**
 * Returns a path without the rest of an exchange whose question is not on it: an answer without its question is
 * meaningless, and some providers reject it. After a summary nothing is missing, because the summary includes the
 * question.
 * @param summarized the last message of the summary that precedes the path
 */
export function dropIncompleteExchange(
  path: readonly ContextMessage[],
  summarized: string | undefined,
): readonly ContextMessage[] {
  const whole = isWhole(path, summarized);
  // A tool result must follow its call, wherever the call is.
  const first = path.findIndex(({ role }) => role === 'user' || (whole && role === 'assistant'));
  return path.slice(Math.max(0, first));
}

/**
 * Returns the last message that a summary should cover. The summary covers what is left out and the older half of what
 * still fits, so that not every turn needs a new one, rounded up to whole exchanges, but never the last exchange before
 * the question. Undefined if nothing is left out.
 * @param path the end of the path, with the question as its last message
 * @param summarized the last message of the summary that precedes the path
 */
export function findSummaryEnd(
  path: readonly ContextMessage[],
  summarized: string | undefined,
): string | undefined {
  if (isWhole(path, summarized)) return undefined;
  const ends = endsOfExchanges(path);
  const beforeQuestion = ends.pop();
  const half = (beforeQuestion?.tokens ?? 0) / 2;
  return (ends.find(({ tokens }) => tokens >= half) ?? ends.at(-1) ?? beforeQuestion)?.id;
}

/**
 * Returns the messages before those of the user, each of which begins an exchange, with the tokens of the path up to
 * there.
 */
function endsOfExchanges(path: readonly ContextMessage[]) {
  const ends: { readonly id: string; readonly tokens: number }[] = [];
  let tokens = 0;
  for (const { role, parentId, tokenCount } of path) {
    if (role === 'user' && parentId !== null) ends.push({ id: parentId, tokens });
    tokens += tokenCount + TOKENS_PER_MESSAGE;
  }
  return ends;
}

/**
 * Returns true if a path contains everything since the beginning of the conversation, or since the end of a summary.
 */
function isWhole([oldest]: readonly ContextMessage[], summarized: string | undefined): boolean {
  return oldest === undefined || oldest.parentId === null || oldest.parentId === summarized;
}
