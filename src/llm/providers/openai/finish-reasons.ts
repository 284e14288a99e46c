import type { FinishReason, ProviderErrorKind } from '../../port/index.js';

/** The end of a choice: a finish reason of the canonical format, or a failure. */
export type Finish =
  | { readonly type: 'reason'; readonly reason: FinishReason }
  | { readonly type: 'failure'; readonly kind: ProviderErrorKind; readonly reason: string };

/**
 * Finish reasons that hosts send instead of OpenAI's. Case and separators do not matter.
 * TGI: `eos_token`, `stop_sequence`; Anthropic behind proxies: `end_turn`, `tool_use`, `max_tokens`, `refusal`;
 * Mistral: `model_length`; Gemini: `MAX_TOKENS`, `SAFETY`, `RECITATION` and so on; Zhipu: `sensitive`.
 * Any other reason, such as `eos` or `completed`, means a complete answer, like `stop`.
 */
const REASONS = {
  stop: ['stop', 'eos', 'eos_token', 'end_turn', 'stop_sequence', 'pause_turn'],
  length: [
    'length',
    'max_tokens',
    'max_new_tokens',
    'max_output_tokens',
    'max_length',
    'model_length',
    'context_length',
    'model_context_window_exceeded',
  ],
  tool_calls: ['tool_calls', 'tool_call', 'tool_use'],
  function_call: ['function_call'],
  content_filter: [
    'content_filter',
    'content_filtered',
    'safety',
    'recitation',
    'blocklist',
    'prohibited_content',
    'spii',
    'image_safety',
    'refusal',
    'sensitive',
    'guardrail_intervened',
  ],
} as const satisfies Record<FinishReason, readonly string[]>;

/**
 * Reasons that mean that the answer is incomplete. OpenRouter: `error`; vLLM: `abort`; DeepSeek:
 * `insufficient_system_resource`; Zhipu: `network_error`; Gemini: `MALFORMED_FUNCTION_CALL`.
 */
const FAILURES = {
  broken_answer: [
    'error',
    'failed',
    'failure',
    'abort',
    'aborted',
    'cancelled',
    'canceled',
    'network_error',
    'malformed_function_call',
    'unexpected_tool_call',
  ],
  unavailable: ['insufficient_system_resource', 'overloaded'],
  timed_out: ['timeout'],
} as const satisfies Partial<Record<ProviderErrorKind, readonly string[]>>;

const FINISHES: ReadonlyMap<string, Finish> = new Map([
  ...entriesOf(REASONS.stop, { type: 'reason', reason: 'stop' }),
  ...entriesOf(REASONS.length, { type: 'reason', reason: 'length' }),
  ...entriesOf(REASONS.tool_calls, { type: 'reason', reason: 'tool_calls' }),
  ...entriesOf(REASONS.function_call, { type: 'reason', reason: 'function_call' }),
  ...entriesOf(REASONS.content_filter, { type: 'reason', reason: 'content_filter' }),
  ...failuresOf('broken_answer', FAILURES.broken_answer),
  ...failuresOf('unavailable', FAILURES.unavailable),
  ...failuresOf('timed_out', FAILURES.timed_out),
]);

/**
 * Converts a finish reason; undefined while the choice continues, for which hosts send null, an empty string or
 * nothing.
 */
export function toFinish(value: unknown): Finish | undefined {
  if (value === undefined || value === null || value === '' || value === false) return undefined;
  const known = typeof value === 'string' ? FINISHES.get(normalize(value)) : undefined;
  return known ?? { type: 'reason', reason: 'stop' };
}

function entriesOf(words: readonly string[], finish: Finish): [string, Finish][] {
  return words.map((word) => [normalize(word), finish]);
}

function failuresOf(kind: ProviderErrorKind, words: readonly string[]): [string, Finish][] {
  return words.map((word) => [normalize(word), { type: 'failure', kind, reason: word }]);
}

function normalize(word: string): string {
  return word.toLowerCase().replaceAll(/[^a-z]/g, '');
}
