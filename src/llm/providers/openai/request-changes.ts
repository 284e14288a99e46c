/**
 * The changes that a request may get after a host refused it. Each takes back, renames or adds only what this server put
 * in itself: what the caller sent and a host refuses is the caller's error to read.
 */
export type RequestChange =
  /** The default temperature is left out. */
  | 'without_default_temperature'
  /** The token limit goes under its other name. */
  | 'other_limit_name'
  /** A stream does not ask for usage, which is then counted here. */
  | 'without_stream_options'
  /** The format of vectors is named. */
  | 'with_encoding_format'
  /** Reasoning that the host wrote itself is not returned to it. */
  | 'without_returned_fields'
  /** Answers that called tools get a placeholder for reasoning that another provider never wrote. */
  | 'with_reasoning_placeholder'
  /** Calls that another provider made get Gemini's marker for calls without a signature. */
  | 'with_signature_placeholder'
  /** A message of the user never follows a tool's result at once. */
  | 'with_alternating_roles'
  /** Ids of tool calls have at most 40 characters. */
  | 'short_call_ids'
  /** Ids of tool calls have nine letters and digits. */
  | 'nine_character_call_ids';

/** Marks of a refusal that a change answers. */
interface Recognition {
  /** Matches the name of a field. */
  readonly names: RegExp;
  /** Matches the verdict on it, which hosts word in many ways. */
  readonly says: RegExp;
}

/** A parameter or a value of it that is not taken, as OpenAI, Azure, pydantic (vLLM, Mistral), Voyage and others put it. */
const NOT_TAKEN =
  /unsupported|not supported|does not support|doesn't support|unknown|unrecognized|unrecognised|unexpected|extra|not permitted|not allowed|invalid|not valid|not accept|deprecated|only|must be|cannot/i;

/** Something that the host wants and that was not there. */
const MISSING = /missing|must be|required|requires|needs?\b|passed back/i;

/** Sentences about an amount: no other name makes it fit. */
const TOO_MUCH =
  /too (?:large|long|big|many|high)|context length|at most|less than|greater than|exceed|range|between|[<>≤≥]/i;

/** In the order in which they are tried: what is missing before what is not taken, since both name the same field. */
const RECOGNITIONS: Readonly<Record<RequestChange, Recognition>> = {
  with_reasoning_placeholder: { names: /\breasoning_content\b/, says: /missing|passed back|required/i },
  with_signature_placeholder: { names: /\bthought_signature\b/, says: /missing/i },
  without_returned_fields: {
    names: /\b(?:reasoning_content|reasoning_details|extra_content|reasoning)\b/,
    says: NOT_TAKEN,
  },
  with_alternating_roles: { names: /\brole/i, says: /alternate|after role/i },
  nine_character_call_ids: { names: /tool.?call.?id/i, says: /length of 9/i },
  short_call_ids: { names: /tool_call(?:s\[\d+\]\.id|_id)/, says: /maximum length (?:of )?40/i },
  without_default_temperature: { names: /\btemperature\b/i, says: NOT_TAKEN },
  other_limit_name: { names: /\bmax_(?:completion_)?tokens\b/, says: NOT_TAKEN },
  without_stream_options: { names: /\b(?:stream_options|include_usage)\b/, says: NOT_TAKEN },
  with_encoding_format: { names: /\bencoding_format\b/, says: MISSING },
};

/**
 * Finds the change that answers a refusal.
 * @param text all that the host said
 * @param possible the changes that would make a difference to the refused request
 */
export function changeAfter(text: string, possible: ReadonlySet<RequestChange>): RequestChange | undefined {
  for (const [change, { names, says }] of entriesOf(RECOGNITIONS)) {
    if (!possible.has(change) || !names.test(text) || !says.test(text)) continue;
    if (change === 'other_limit_name' && TOO_MUCH.test(text)) continue;
    return change;
  }
  return undefined;
}

/** `Object.entries` with the keys' own type: the table's type is exact. */
function entriesOf<Key extends string, Value>(table: Readonly<Record<Key, Value>>): [Key, Value][] {
  const keys: Key[] = [];
  for (const key in table) keys.push(key);
  return keys.map((key) => [key, table[key]]);
}
