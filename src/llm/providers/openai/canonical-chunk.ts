import { type ChatChunk, FINISH_REASONS } from '../../port/index.js';
import { isUsage } from './reply-parts.js';

/** The fields of a chunk, each of arbitrary type. */
interface AnyChunk {
  readonly id?: unknown;
  readonly object?: unknown;
  readonly created?: unknown;
  readonly model?: unknown;
  readonly choices?: unknown;
  readonly usage?: unknown;
  /** Groq's field for the usage. */
  readonly x_groq?: unknown;
}

interface AnyChoice {
  readonly index?: unknown;
  readonly delta?: unknown;
  readonly finish_reason?: unknown;
  readonly logprobs?: unknown;
  readonly error?: unknown;
  readonly usage?: unknown;
}

interface AnyDelta {
  readonly role?: unknown;
  readonly content?: unknown;
  readonly refusal?: unknown;
  readonly reasoning_content?: unknown;
  readonly reasoning?: unknown;
  readonly tool_calls?: unknown;
  readonly function_call?: unknown;
  /** Our own field: no host may set it. */
  readonly provider_data?: unknown;
}

const REASONS: ReadonlySet<unknown> = new Set(FINISH_REASONS);

/**
 * Returns true if a chunk has every field that we rely on, with the type of the canonical format. Such a chunk
 * is passed on as its original text, so this check runs on every event of every stream; no other field is read.
 * `ChoiceNormalizer` checks the conditions that depend on earlier chunks.
 */
export function isCanonicalChunk(value: object): value is ChatChunk {
  const chunk: AnyChunk = value;
  return (
    Array.isArray(chunk.choices) &&
    typeof chunk.id === 'string' &&
    typeof chunk.model === 'string' &&
    typeof chunk.created === 'number' &&
    chunk.object === 'chat.completion.chunk' &&
    (chunk.usage === undefined || chunk.usage === null ? chunk.x_groq === undefined : isUsage(chunk.usage)) &&
    chunk.choices.every(isChoice)
  );
}

function isChoice(value: unknown): boolean {
  if (!isObject(value)) return false;
  const { index, delta, finish_reason, logprobs, error, usage }: AnyChoice = value;
  return (
    isObject(delta) &&
    typeof index === 'number' &&
    Number.isSafeInteger(index) &&
    index >= 0 &&
    (finish_reason === null || REASONS.has(finish_reason)) &&
    (error === undefined || error === null) &&
    (usage === undefined || usage === null) &&
    isLogprobs(logprobs) &&
    isDelta(delta)
  );
}

function isDelta(delta: AnyDelta): boolean {
  return (
    isText(delta.content) &&
    isText(delta.reasoning_content) &&
    isText(delta.reasoning) &&
    isText(delta.refusal) &&
    isText(delta.role) &&
    (delta.tool_calls === undefined || delta.tool_calls === null || Array.isArray(delta.tool_calls)) &&
    isFunctionCall(delta.function_call) &&
    delta.provider_data === undefined
  );
}

function isFunctionCall(value: unknown): boolean {
  if (value === undefined || value === null) return true;
  if (!isObject(value)) return false;
  const { name, arguments: given }: { readonly name?: unknown; readonly arguments?: unknown } = value;
  return isText(name) && isText(given);
}

/** Returns true if the log probabilities are lists, as the assembly of a stream requires. */
export function isLogprobs(value: unknown): boolean {
  if (value === undefined || value === null) return true;
  if (!isObject(value)) return false;
  const { content, refusal }: { readonly content?: unknown; readonly refusal?: unknown } = value;
  return isList(content) && isList(refusal);
}

export function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isList(value: unknown): boolean {
  return value === undefined || value === null || Array.isArray(value);
}

function isText(value: unknown): boolean {
  return value === undefined || value === null || typeof value === 'string';
}
