import { newId } from '../../../common/ids.js';
import {
  type AnswerMessage,
  type ChatCompletion,
  getField,
  FINISH_REASONS,
  isErrorReport,
  getStringField,
  toHostError,
  invalidResponseError,
} from '../../port/index.js';
import { isLogprobs, isObject } from './canonical-chunk.js';
import { readFinish, readMessageContent, legacyCallOf, omitFields } from './choice-normalizer.js';
import { type AnswerMetadata, readAnswerMetadata, readChunkUsage } from './chunk-normalizer.js';
import { isUsage, toIndex } from './reply-parts.js';
import { readToolCall } from './tool-call-fields.js';

type Choice = ChatCompletion['choices'][number];
type Message = AnswerMessage & { reasoning_content?: string };
type ToolCall = NonNullable<AnswerMessage['tool_calls']>[number];

const REASONS: ReadonlySet<unknown> = new Set(FINISH_REASONS);

const READ = {
  completion: new Set(['id', 'object', 'created', 'model', 'choices', 'usage']),
  choice: new Set(['index', 'message', 'delta', 'text', 'usage', 'error', 'finish_reason', 'logprobs']),
  message: new Set([
    'role',
    'content',
    'refusal',
    'reasoning_content',
    'reasoning',
    'tool_calls',
    'function_call',
    'provider_data',
  ]),
} as const;

/**
 * Converts a JSON value to a whole answer: returns it unchanged if it is in the canonical format, else
 * rewritten.
 * @param head metadata for an answer that has no id, time or model of its own
 * @throws ProviderError for an error with a success status, and for a value that is not an answer
 */
export function readCompletion(value: unknown, head: AnswerMetadata): ChatCompletion {
  if (isErrorReport(value)) throw toHostError({ body: value });
  if (isCanonical(value)) return value;
  const given = getField(value, 'choices');
  if (!isObject(value) || given === undefined || given === null)
    throw invalidResponseError('it has no choices');
  const entries = (Array.isArray(given) ? given : [given]).filter(isObject);
  if (entries.length === 0) throw invalidResponseError('it has no choices');
  const usage = readChunkUsage(value, entries);
  const indexes = uniqueIndexes(entries);
  return {
    ...omitFields(value, READ.completion),
    ...readAnswerMetadata(value, head),
    object: 'chat.completion',
    choices: entries.map((entry, position) => toChoice(entry, indexes[position] ?? position)),
    ...(usage && { usage }),
  };
}

/** Returns the index of each choice: the host's own, or a free one if it is missing or repeated. */
function uniqueIndexes(choices: readonly object[]): number[] {
  const given = choices.map((choice) => toIndex(getField(choice, 'index')));
  const own = given.map((index, position) => (given.indexOf(index) === position ? index : undefined));
  const taken = new Set(own);
  return own.map((index, position) => {
    if (index !== undefined) return index;
    let free = taken.has(position) ? 0 : position;
    while (taken.has(free)) free += 1;
    taken.add(free);
    return free;
  });
}

/**
 * Converts a choice. One without a finish reason is complete: nothing was cut off, and hosts without streaming
 * may know no reasons.
 */
function toChoice(choice: object, index: number): Choice {
  const given = [getField(choice, 'message'), getField(choice, 'delta')].find(isObject);
  const text =
    getStringField(choice, 'message') ?? getStringField(choice, 'delta') ?? getStringField(choice, 'text');
  const finish = readFinish(choice);
  if (given === undefined && text === undefined && finish === undefined) {
    throw invalidResponseError('one of its choices has no message');
  }
  const message = toMessage(given ?? { content: text });
  const logprobs = getField(choice, 'logprobs');
  return {
    ...omitFields(choice, READ.choice),
    index,
    message,
    finish_reason: finish ?? (message.tool_calls === undefined ? 'stop' : 'tool_calls'),
    logprobs: isLogprobs(logprobs) ? toLogprobs(logprobs) : null,
  };
}

function toMessage(message: object): Message {
  const { text, reasoning, refusal } = readMessageContent(message);
  const tool_calls = toToolCalls(getField(message, 'tool_calls') ?? []);
  return {
    ...omitFields(message, READ.message),
    role: 'assistant',
    content: text === '' && getField(message, 'content') !== '' ? null : text,
    refusal: refusal === '' ? null : refusal,
    ...(reasoning !== '' && { reasoning_content: reasoning }),
    ...(tool_calls.length > 0 && { tool_calls }),
    ...legacyCallOf(message),
  };
}

/**
 * Converts tool calls. Results refer to their call by its id, so a call whose id is already taken gets a new
 * one.
 */
function toToolCalls(value: unknown): ToolCall[] {
  const taken = new Set<string>();
  const calls = (Array.isArray(value) ? value : [value]).flatMap(toToolCall);
  return calls.map((call) => {
    const id = taken.has(call.id) ? newCallId() : call.id;
    taken.add(id);
    return { ...call, id };
  });
}

function newCallId(): string {
  return `call_${newId().replaceAll('-', '')}`;
}

/**
 * Converts a tool call. One without a tool name cannot be executed and is dropped. Missing arguments become an
 * empty object, as OpenAI sends it. Fields beyond the canonical format stay, since the host may need them back.
 */
function toToolCall(call: unknown): ToolCall[] {
  if (isCustomCall(call)) return [call];
  if (!isObject(call)) return [];
  const { id, name, text, extras, functionExtras } = readToolCall(call);
  if (name === '') return [];
  return [
    {
      ...Object.fromEntries(extras),
      id: id || newCallId(),
      type: 'function',
      function: { ...Object.fromEntries(functionExtras), name, arguments: text === '' ? '{}' : text },
    },
  ];
}

function toLogprobs(value: unknown): Choice['logprobs'] {
  if (!isObject(value)) return null;
  const { content = null, refusal = null }: Partial<NonNullable<Choice['logprobs']>> = value;
  return { content, refusal };
}

/** Returns true if an answer has every field that we rely on, with the type of the canonical format. */
function isCanonical(value: unknown): value is ChatCompletion {
  return (
    isObject(value) &&
    !isErrorReport(value) &&
    typeof getField(value, 'id') === 'string' &&
    typeof getField(value, 'model') === 'string' &&
    typeof getField(value, 'created') === 'number' &&
    getField(value, 'object') === 'chat.completion' &&
    isUsageOrNothing(value) &&
    isChoices(getField(value, 'choices'))
  );
}

function isUsageOrNothing(value: object): boolean {
  const usage = getField(value, 'usage') ?? undefined;
  return usage === undefined ? getField(value, 'x_groq') === undefined : isUsage(usage);
}

function isChoices(choices: unknown): boolean {
  return (
    Array.isArray(choices) &&
    choices.length > 0 &&
    choices.every(isCanonicalChoice) &&
    new Set(choices.map((choice) => getField(choice, 'index'))).size === choices.length
  );
}

function isCanonicalChoice(choice: unknown): boolean {
  const [index, message] = [getField(choice, 'index'), getField(choice, 'message')];
  return (
    typeof index === 'number' &&
    toIndex(index) === index &&
    REASONS.has(getField(choice, 'finish_reason')) &&
    (getField(choice, 'error') ?? undefined) === undefined &&
    (getField(choice, 'usage') ?? undefined) === undefined &&
    isLogprobs(getField(choice, 'logprobs')) &&
    isObject(message) &&
    isCanonicalMessage(message)
  );
}

function isCanonicalMessage(message: object): boolean {
  const calls = getField(message, 'tool_calls') ?? [];
  return (
    getField(message, 'role') === 'assistant' &&
    (['content', 'refusal', 'reasoning_content', 'reasoning'] as const).every((name) =>
      isTextOrNothing(getField(message, name)),
    ) &&
    getField(message, 'content') !== undefined &&
    getField(message, 'provider_data') === undefined &&
    isFunctionCallOrNothing(getField(message, 'function_call')) &&
    Array.isArray(calls) &&
    calls.every((call) => isToolCall(call) || isCustomCall(call)) &&
    new Set(calls.map((call) => getField(call, 'id'))).size === calls.length
  );
}

function isToolCall(call: unknown): boolean {
  const part = getField(call, 'function');
  return (
    getField(call, 'type') === 'function' &&
    Boolean(getStringField(call, 'id')) &&
    Boolean(getStringField(part, 'name')) &&
    Boolean(getStringField(part, 'arguments'))
  );
}

function isCustomCall(call: unknown): call is ToolCall {
  const part = getField(call, 'custom');
  return (
    getField(call, 'type') === 'custom' &&
    Boolean(getStringField(call, 'id')) &&
    typeof getField(part, 'name') === 'string' &&
    typeof getField(part, 'input') === 'string'
  );
}

function isFunctionCallOrNothing(value: unknown): boolean {
  if (value === undefined || value === null) return true;
  return typeof getField(value, 'name') === 'string' && typeof getField(value, 'arguments') === 'string';
}

function isTextOrNothing(value: unknown): boolean {
  return value === undefined || value === null || typeof value === 'string';
}
