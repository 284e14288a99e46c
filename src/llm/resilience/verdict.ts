import type { ProviderErrorKind } from '../port/index.js';

/** What an attempt says to a circuit. */
export type Verdict =
  /** It was served. */
  | 'good'
  /** It failed, by no fault of the request. */
  | 'fault'
  /** It was answered with a refusal: counts neither way, but shows a probe that somebody is there. */
  | 'answered'
  /** It says nothing. */
  | 'silent';

/** What an attempt says of the connection to its host, and of the model that it asked. */
export interface Verdicts {
  readonly host: Verdict;
  readonly model: Verdict;
}

const GOOD: Verdicts = { host: 'good', model: 'good' };
const SILENT: Verdicts = { host: 'silent', model: 'silent' };
/** The host was reached, and the model did not answer as it should. */
const MODEL_FAULT: Verdicts = { host: 'good', model: 'fault' };
/** The fault is the request's, the key's or the account's. */
const REFUSAL: Verdicts = { host: 'good', model: 'answered' };

const BY_KIND = {
  rejected: REFUSAL,
  context_length_exceeded: REFUSAL,
  content_policy_violation: REFUSAL,
  unauthorized: REFUSAL,
  model_not_found: REFUSAL,
  rate_limited: REFUSAL,
  quota_exhausted: REFUSAL,
  // A connection that cannot be made is given up before this: the host was there.
  timeout: MODEL_FAULT,
  timed_out: MODEL_FAULT,
  unavailable: MODEL_FAULT,
  broken_answer: MODEL_FAULT,
  unreadable_answer: MODEL_FAULT,
  unreachable: { host: 'fault', model: 'silent' },
  overloaded: SILENT,
  circuit_open: SILENT,
} as const satisfies Record<ProviderErrorKind, Verdicts>;

/** Returns what the end of an attempt says to the circuits. `undefined` stands for an attempt that nobody waited for. */
export function verdictsOf(kind: ProviderErrorKind | 'completed' | undefined): Verdicts {
  if (kind === undefined) return SILENT;
  return kind === 'completed' ? GOOD : BY_KIND[kind];
}
