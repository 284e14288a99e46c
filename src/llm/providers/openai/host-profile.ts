import type { CallIdRule } from '../../port/index.js';
import { isReasoningModel } from './openai-models.js';

/** Names of the limit of an answer's tokens. OpenAI deprecated the older one, and its reasoning models refuse it. */
export type LimitName = 'max_tokens' | 'max_completion_tokens';

/** OpenAI's bound ("Expected a string with maximum length 40"); the message that refuses a longer id says so. */
export const SHORT_CALL_IDS: CallIdRule = {
  accepts: /^[^]{1,40}$/,
  prefix: 'call_',
  digestLength: 24,
  unique: false,
};

/** Mistral's rule, and that of its chat templates: "must be a-z, A-Z, 0-9, with a length of 9". */
export const NINE_CHARACTER_CALL_IDS: CallIdRule = {
  accepts: /^[a-zA-Z0-9]{9}$/,
  prefix: '',
  digestLength: 9,
  unique: false,
};

/** Facts about a host that its address gives away. Everything else is learned from its refusals. */
export interface HostProfile {
  /** OpenAI itself, whose models are known by name. */
  readonly official: boolean;
  readonly limitName: LimitName;
  readonly callIds: CallIdRule | undefined;
}

/** Any other host: all of them know the older name of the limit, and most take any id. */
const UNKNOWN: HostProfile = { official: false, limitName: 'max_tokens', callIds: undefined };

/** Hosts by the end of their names. */
const KNOWN: readonly (readonly [domain: string, profile: HostProfile])[] = [
  ['openai.com', { official: true, limitName: 'max_completion_tokens', callIds: SHORT_CALL_IDS }],
  ['openai.azure.com', { official: false, limitName: 'max_completion_tokens', callIds: SHORT_CALL_IDS }],
  [
    'cognitiveservices.azure.com',
    { official: false, limitName: 'max_completion_tokens', callIds: SHORT_CALL_IDS },
  ],
  ['mistral.ai', { official: false, limitName: 'max_tokens', callIds: NINE_CHARACTER_CALL_IDS }],
];

/** @param baseUrl undefined is OpenAI's own */
export function profileOf(baseUrl: string | undefined): HostProfile {
  const { hostname } = new URL(baseUrl ?? 'https://api.openai.com/v1');
  const known = KNOWN.find(([domain]) => hostname === domain || hostname.endsWith(`.${domain}`));
  return known?.[1] ?? UNKNOWN;
}

/** The name of the limit that a model of a host is asked with first: OpenAI's reasoning models are known by name anywhere. */
export function limitNameFor({ limitName }: HostProfile, model: string): LimitName {
  return isReasoningModel(model) ? 'max_completion_tokens' : limitName;
}
