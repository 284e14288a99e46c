import { type CompletionUsage, getField, parseReplyCount } from '../../port/index.js';

/** The content of a message or delta, as strings. */
export interface MessageContent {
  readonly text: string;
  readonly reasoning: string;
  readonly refusal: string;
}

/** Maximum nesting depth of parts: a thinking part of Mistral's contains a list of text parts. */
const MAX_DEPTH = 4;

/**
 * Reads content that is not a plain string: a list of parts, a single part, or a plain value. Mistral's
 * reasoning models send `{"type":"thinking","thinking":[{"type":"text","text":"…"}]}` beside
 * `{"type":"text","text":"…"}` (https://docs.mistral.ai/capabilities/reasoning/). Parts without text, such as a
 * reference or an image, are dropped.
 */
export function readContent(content: unknown): MessageContent {
  const parts = Array.isArray(content) ? content : [content];
  const result = { text: '', reasoning: '', refusal: '' };
  for (const part of parts) {
    const type = getField(part, 'type');
    if (type === 'thinking' || type === 'reasoning' || type === 'reasoning_text')
      result.reasoning += readText(part);
    else if (type === 'refusal') result.refusal += readText(part);
    else result.text += readText(part);
  }
  return result;
}

/**
 * Returns the text of a value that should be a string: the value itself, the text of its parts, or an empty
 * string.
 */
export function readText(value: unknown, depth = 0): string {
  if (typeof value === 'string') return value;
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  if (depth > MAX_DEPTH || typeof value !== 'object' || value === null) return '';
  if (Array.isArray(value)) return value.map((entry) => readText(entry, depth + 1)).join('');
  for (const name of ['text', 'thinking', 'reasoning', 'content', 'refusal', 'summary', 'value'] as const) {
    const inner = getField(value, name);
    if (inner !== undefined && inner !== null) return readText(inner, depth + 1);
  }
  return '';
}

/** Returns the arguments of a tool call as JSON text: some hosts send the object itself. */
export function toOpenAiArguments(value: unknown): string {
  if (typeof value === 'string') return value;
  return value === undefined || value === null ? '' : JSON.stringify(value);
}

/** Returns a list index, which some hosts send as a string; undefined for anything else. */
export function toIndex(value: unknown): number | undefined {
  const number = parseReplyCount(value);
  return number !== undefined && number < MAX_INDEX ? number : undefined;
}

/** Upper bound on an index, higher than the number of choices or calls of any answer. */
const MAX_INDEX = 100_000;

/** Returns true if the usage has the types of the canonical format. */
export function isUsage(value: unknown): value is CompletionUsage {
  return (
    typeof value === 'object' &&
    value !== null &&
    'prompt_tokens' in value &&
    typeof value.prompt_tokens === 'number' &&
    'completion_tokens' in value &&
    typeof value.completion_tokens === 'number' &&
    'total_tokens' in value &&
    typeof value.total_tokens === 'number' &&
    isDetails(getField(value, 'prompt_tokens_details')) &&
    isDetails(getField(value, 'completion_tokens_details'))
  );
}

/**
 * Converts usage to the canonical format; undefined if there is none. Some hosts send strings, or use
 * Anthropic's names.
 */
export function readUsage(value: unknown): CompletionUsage | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
  if (isUsage(value)) return value;
  const prompt = parseReplyCount(getField(value, 'prompt_tokens') ?? getField(value, 'input_tokens'));
  const completion = parseReplyCount(
    getField(value, 'completion_tokens') ?? getField(value, 'output_tokens'),
  );
  if (prompt === undefined && completion === undefined) return undefined;
  const [prompt_tokens, completion_tokens] = [prompt ?? 0, completion ?? 0];
  return {
    prompt_tokens,
    completion_tokens,
    total_tokens: parseReplyCount(getField(value, 'total_tokens')) ?? prompt_tokens + completion_tokens,
    ...detailsOf(value, 'prompt_tokens_details'),
    ...detailsOf(value, 'completion_tokens_details'),
  };
}

function isDetails(value: unknown): boolean {
  if (value === undefined || value === null) return true;
  return (
    typeof value === 'object' &&
    Object.values(value).every((figure: unknown) => figure === null || typeof figure === 'number')
  );
}

function detailsOf(usage: object, name: string): Record<string, Record<string, number>> {
  const details = getField(usage, name);
  if (typeof details !== 'object' || details === null) return {};
  const figures = Object.entries(details).flatMap(([field, value]: [string, unknown]) => {
    const count = parseReplyCount(value);
    return count === undefined ? [] : [[field, count] as const];
  });
  return { [name]: Object.fromEntries(figures) };
}
