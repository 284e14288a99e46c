import type { ProviderErrorKind } from '../port/index.js';

/** The meaning of an attempt for a circuit. */
export type Verdict =
  /** It was served. */
  | 'good'
  /** It failed, through no fault of the request. */
  | 'fault'
  /** It was refused, or answered in an unknown form: counts neither way, but proves to a probe that the host responds. */
  | 'answered'
  /** It has no meaning. */
  | 'silent';

/** The verdicts on the connection to the host, and on the requested model. */
export interface Verdicts {
  readonly host: Verdict;
  readonly model: Verdict;
}

const GOOD: Verdicts = { host: 'good', model: 'good' };
const SILENT: Verdicts = { host: 'silent', model: 'silent' };
/** The host was reached, but the model did not answer properly. */
const MODEL_FAULT: Verdicts = { host: 'good', model: 'fault' };
/** The host responded, and the failure does not show that the model is unavailable. */
const REFUSAL: Verdicts = { host: 'good', model: 'answered' };

const BY_KIND = {
  rejected: REFUSAL,
  context_length_exceeded: REFUSAL,
  content_policy_violation: REFUSAL,
  unauthorized: REFUSAL,
  model_not_found: REFUSAL,
  rate_limited: REFUSAL,
  quota_exhausted: REFUSAL,
  // A failing connection times out earlier than this: the host was reached.
  timeout: MODEL_FAULT,
  timed_out: MODEL_FAULT,
  unavailable: MODEL_FAULT,
  broken_answer: MODEL_FAULT,
  // The host answered completely. An answer in an unknown form can be due to a single request, and the model
  // answers others.
  unreadable_answer: REFUSAL,
  unreachable: { host: 'fault', model: 'silent' },
  overloaded: SILENT,
  circuit_open: SILENT,
} as const satisfies Record<ProviderErrorKind, Verdicts>;

/** Returns the verdicts on an outcome. `undefined` means an attempt that was cancelled. */
export function verdictsOf(kind: ProviderErrorKind | 'completed' | undefined): Verdicts {
  if (kind === undefined) return SILENT;
  return kind === 'completed' ? GOOD : BY_KIND[kind];
}
