import type { CallIdRule } from '../../port/index.js';
import { isReasoningModel } from './openai-models.js';

/**
 * Parameter names for the maximum output tokens. OpenAI deprecated the older one, and its reasoning models
 * refuse it.
 */
export type LimitName = 'max_tokens' | 'max_completion_tokens';

/**
 * OpenAI's limit, taken from the message that refuses a longer id ("Expected a string with maximum length 40").
 */
export const SHORT_CALL_IDS: CallIdRule = {
  accepts: /^[^]{1,40}$/,
  prefix: 'call_',
  digestLength: 24,
  unique: false,
};

/** The rule of Mistral and its chat templates: "must be a-z, A-Z, 0-9, with a length of 9". */
export const NINE_CHARACTER_CALL_IDS: CallIdRule = {
  accepts: /^[a-zA-Z0-9]{9}$/,
  prefix: '',
  digestLength: 9,
  unique: false,
};

/** Properties of a host that are known from its address. All others are learned from its refusals. */
export interface HostProfile {
  /** True for OpenAI itself, whose models are known by name. */
  readonly official: boolean;
  readonly limitName: LimitName;
  readonly callIds: CallIdRule | undefined;
}

/** The profile of any other host: all of them support the older name of the limit, and most accept any id. */
const UNKNOWN: HostProfile = { official: false, limitName: 'max_tokens', callIds: undefined };

/** Profiles by domain suffix. */
const KNOWN: readonly (readonly [domain: string, profile: HostProfile])[] = [
  ['openai.com', { official: true, limitName: 'max_completion_tokens', callIds: SHORT_CALL_IDS }],
  ['openai.azure.com', { official: false, limitName: 'max_completion_tokens', callIds: SHORT_CALL_IDS }],
  [
    'cognitiveservices.azure.com',
    { official: false, limitName: 'max_completion_tokens', callIds: SHORT_CALL_IDS },
  ],
  ['mistral.ai', { official: false, limitName: 'max_tokens', callIds: NINE_CHARACTER_CALL_IDS }],
];

/**
 * Returns the profile of a host.
 * @param baseUrl undefined for OpenAI's own
 */
export function hostProfileOf(baseUrl: string | undefined): HostProfile {
  const { hostname } = new URL(baseUrl ?? 'https://api.openai.com/v1');
  const known = KNOWN.find(([domain]) => hostname === domain || hostname.endsWith(`.${domain}`));
  return known?.[1] ?? UNKNOWN;
}

/** Returns the name of the limit to try first: OpenAI's reasoning models are recognized by name on any host. */
export function limitNameFor({ limitName }: HostProfile, model: string): LimitName {
  return isReasoningModel(model) ? 'max_completion_tokens' : limitName;
}
