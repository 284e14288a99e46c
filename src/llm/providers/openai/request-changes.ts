import { REFUSED_PARAMETER } from '../../port/refused-parameter.js';

/**
 * The changes that a request may undergo after a host refused it. Each removes, renames or adds only something
 * that this server itself chose: if a host refuses something that the caller sent, the caller receives that
 * error.
 */
export type RequestChange =
  /** Omits the default temperature. */
  | 'without_default_temperature'
  /** Sends the token limit under its other name. */
  | 'other_limit_name'
  /** Does not request usage for a stream; it is counted locally instead. */
  | 'without_stream_options'
  /** Names the encoding of vectors. */
  | 'with_encoding_format'
  /** Does not return the host's own reasoning to it. */
  | 'without_returned_fields'
  /** Adds a placeholder for missing reasoning to answers of other providers that called tools. */
  | 'with_reasoning_placeholder'
  /** Adds Gemini's marker for unsigned calls to calls that another provider made. */
  | 'with_signature_placeholder'
  /** Separates a user message from a tool result before it. */
  | 'with_alternating_roles'
  /** Shortens tool call ids to at most 40 characters. */
  | 'short_call_ids'
  /** Replaces tool call ids by ones of nine letters and digits. */
  | 'nine_character_call_ids';

/** Patterns that identify a refusal which a change fixes. */
interface Recognition {
  /** Matches the name of a field. */
  readonly names: RegExp;
  /** Matches the objection to it, which hosts word in many ways. */
  readonly says: RegExp;
}

/** Matches a missing parameter that the host requires. */
const MISSING = /missing|must be|required|requires|needs?\b|passed back/i;

/** Matches messages about an amount: renaming the parameter does not help. */
const TOO_MUCH =
  /too (?:large|long|big|many|high)|context length|at most|less than|greater than|exceed|range|between|[<>≤≥]/i;

/**
 * In the order in which they are tried: missing parameters before refused ones, since both name the same field.
 */
const RECOGNITIONS: Readonly<Record<RequestChange, Recognition>> = {
  with_reasoning_placeholder: { names: /\breasoning_content\b/, says: /missing|passed back|required/i },
  with_signature_placeholder: { names: /\bthought_signature\b/, says: /missing/i },
  without_returned_fields: {
    names: /\b(?:reasoning_content|reasoning_details|extra_content|reasoning)\b/,
    says: REFUSED_PARAMETER,
  },
  with_alternating_roles: { names: /\brole/i, says: /alternate|after role/i },
  nine_character_call_ids: { names: /tool.?call.?id/i, says: /length of 9/i },
  short_call_ids: { names: /tool_call(?:s\[\d+\]\.id|_id)/, says: /maximum length (?:of )?40/i },
  without_default_temperature: { names: /\btemperature\b/i, says: REFUSED_PARAMETER },
  other_limit_name: { names: /\bmax_(?:completion_)?tokens\b/, says: REFUSED_PARAMETER },
  without_stream_options: { names: /\b(?:stream_options|include_usage)\b/, says: REFUSED_PARAMETER },
  with_encoding_format: { names: /\bencoding_format\b/, says: MISSING },
};

/**
 * Finds the change that fixes a refusal.
 * @param text all strings of the host's response
 * @param possible the changes that would alter the refused request
 */
export function findRequestChange(
  text: string,
  possible: ReadonlySet<RequestChange>,
): RequestChange | undefined {
  for (const [change, { names, says }] of entriesOf(RECOGNITIONS)) {
    if (!possible.has(change) || !names.test(text) || !says.test(text)) continue;
    if (change === 'other_limit_name' && TOO_MUCH.test(text)) continue;
    return change;
  }
  return undefined;
}

/** Returns `Object.entries` with the exact type of the keys. */
function entriesOf<Key extends string, Value>(table: Readonly<Record<Key, Value>>): [Key, Value][] {
  const keys: Key[] = [];
  for (const key in table) keys.push(key);
  return keys.map((key) => [key, table[key]]);
}
