import { getField, getStringField } from '../../port/index.js';
import { readText, toOpenAiArguments } from './reply-parts.js';

/** Fields beyond the canonical format, by name. */
export type ExtraFields = ReadonlyMap<string, unknown>;

/** The fields of a tool call, or of a delta of one, wherever the host puts them. */
export interface ToolCallFields {
  /** Empty if there is none. */
  readonly id: string;
  /** Empty if there is none. */
  readonly name: string;
  /** The arguments as JSON text; empty if there are none. */
  readonly text: string;
  /** Other fields of the call, such as Gemini's `extra_content`, which it requires back with the results. */
  readonly extras: ExtraFields;
  /** Other fields of `function`. */
  readonly functionExtras: ExtraFields;
}

const CALL_FIELDS: ReadonlySet<string> = new Set(['index', 'id', 'type', 'function', 'provider_data']);
const FUNCTION_FIELDS: ReadonlySet<string> = new Set(['name', 'arguments']);
const NO_FIELDS: ExtraFields = new Map();

/** Reads a tool call. Some hosts put name and arguments beside the id, without `function`. */
export function readToolCall(call: object): ToolCallFields {
  const called = getField(call, 'function') ?? undefined;
  const part = called ?? call;
  const extras = extrasOf(call, CALL_FIELDS);
  if (called === undefined) for (const name of FUNCTION_FIELDS) extras.delete(name);
  return {
    id: readText(getField(call, 'id')),
    name: getStringField(part, 'name') ?? '',
    text: toOpenAiArguments(getField(part, 'arguments')),
    extras,
    functionExtras:
      typeof called === 'object' && !Array.isArray(called) ? extrasOf(called, FUNCTION_FIELDS) : NO_FIELDS,
  };
}

function extrasOf(value: object, known: ReadonlySet<string>): Map<string, unknown> {
  return new Map(
    Object.entries(value).filter(([name, field]: [string, unknown]) => field !== null && !known.has(name)),
  );
}
