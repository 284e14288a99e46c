import type { ProviderErrorKind } from './provider-error.js';

/** The parts of an error report that identify the kind of failure, whatever the report's shape. */
export interface ErrorSignals {
  /** HTTP status of the response, or named in the report; undefined if there is neither. */
  readonly status: number | undefined;
  /** Codes, types and reasons that are strings. */
  readonly words: readonly string[];
  /** The host's error messages. */
  readonly sentences: readonly string[];
}

type Words = Readonly<Partial<Record<ProviderErrorKind, readonly string[]>>>;

/**
 * Codes and types that identify the failure by themselves, whatever the status. Case and separators do not
 * matter.
 * OpenAI: https://platform.openai.com/docs/guides/error-codes
 * Azure: https://learn.microsoft.com/azure/ai-services/openai/concepts/content-filter
 * Anthropic: https://platform.claude.com/docs/en/api/errors
 * Gemini and its OpenAI-compatible endpoint: https://ai.google.dev/gemini-api/docs/troubleshooting
 * llama.cpp: `format_error_response` of tools/server; vLLM and SGLang: `ErrorResponse` with names of HTTP errors;
 * TGI: `error_type`, `InferError`; GitHub Models: `tokens_limit_reached`; LiteLLM: its exceptions;
 * Mistral: `type` beside numbers of its own; Moonshot: https://platform.moonshot.ai/docs/api/chat;
 * DashScope: https://help.aliyun.com/zh/model-studio/error-code; Together and Groq: `code`.
 */
const WORDS = {
  context_length_exceeded: [
    'context_length_exceeded', // OpenAI, Azure, Groq, OpenRouter, newer vLLM
    'context_window_exceeded',
    'exceed_context_size_error', // llama.cpp
    'tokens_limit_reached', // GitHub Models
    'ContextWindowExceededError', // LiteLLM
  ],
  content_policy_violation: [
    'content_policy_violation', // OpenAI
    'content_filter', // Azure, Moonshot
    'ResponsibleAIPolicyViolation', // Azure, `innererror`
    'ContentPolicyViolationError', // LiteLLM
    'data_inspection_failed', // DashScope
    'PROHIBITED_CONTENT', // Gemini
  ],
  quota_exhausted: [
    'insufficient_quota', // OpenAI, Perplexity
    'billing_hard_limit_reached', // OpenAI
    'billing_not_active', // OpenAI
    'billing_error', // Anthropic
    'account_deactivated', // OpenAI
    'exceeded_current_quota_error', // Moonshot
    'insufficient_balance', // DeepSeek resellers
    'insufficient_credits',
    'payment_required',
    'Arrearage', // DashScope
    'budget_exceeded', // LiteLLM
  ],
  rate_limited: [
    'rate_limit_exceeded', // OpenAI, Groq
    'rate_limit_error', // Anthropic
    'rate_limit_reached_error', // Moonshot
    'rate_limited',
    'RateLimitError', // vLLM, LiteLLM
    'RateLimitReached', // GitHub Models
    'RESOURCE_EXHAUSTED', // Gemini; its message mentions a quota for per-minute limits too
    'too_many_requests',
    'Throttling', // DashScope
    'Throttling.RateQuota',
    'ThrottlingException', // Bedrock
  ],
  unauthorized: [
    'invalid_api_key', // OpenAI, Groq, DashScope
    'authentication_error', // Anthropic, llama.cpp, DeepSeek
    'invalid_authentication_error', // Moonshot
    'AuthenticationError', // vLLM, LiteLLM
    'permission_error', // Anthropic
    'permission_denied', // OpenAI, Gemini
    'PermissionDeniedError',
    'UNAUTHENTICATED', // Gemini
    'API_KEY_INVALID', // Gemini, in `details`
    'unauthorized',
  ],
  model_not_found: [
    'model_not_found', // OpenAI, DashScope
    'not_found_error', // Anthropic, llama.cpp
    'NotFoundError', // vLLM, SGLang
    'DeploymentNotFound', // Azure
    'model_not_available', // Together
    'model_decommissioned', // Groq
    'invalid_model', // Mistral
    'unknown_model', // GitHub Models
    'resource_not_found_error', // Moonshot
  ],
  unavailable: [
    'overloaded', // TGI
    'overloaded_error', // Anthropic
    'engine_overloaded', // OpenAI
    'engine_overloaded_error', // Moonshot
    'service_tier_capacity_exceeded', // Mistral
    'unavailable', // Gemini
    'unavailable_error', // llama.cpp, while it loads its model
    'service_unavailable',
    'ServiceUnavailableError', // vLLM, LiteLLM
  ],
  timed_out: [
    'timeout', // LiteLLM
    'timeout_error', // Anthropic
    'request_timeout',
    'DEADLINE_EXCEEDED', // Gemini
  ],
} as const satisfies Words;

/** Codes and types that hosts use for almost everything: they count only if there is no status. */
const GENERIC_WORDS = {
  rejected: [
    'invalid_request_error', // OpenAI, Anthropic, DeepSeek, Mistral, llama.cpp
    'request_too_large', // Anthropic
    'BadRequestError', // vLLM, SGLang
    'validation', // TGI
    'INVALID_ARGUMENT', // Gemini
    'not_supported_error', // llama.cpp
  ],
  broken_answer: [
    'server_error', // OpenAI, llama.cpp
    'api_error', // Anthropic
    'InternalServerError', // vLLM, SGLang
    'generation', // TGI
    'incomplete_generation', // TGI
    'INTERNAL', // Gemini
  ],
} as const satisfies Words;

interface SentenceRule {
  readonly kind: ProviderErrorKind;
  readonly pattern: RegExp;
  /** Returns true if the message counts with this status. Default: it counts with every status. */
  readonly when?: (status: number | undefined) => boolean;
}

/** Excludes the statuses with which a message about tokens is not about the length of the request. */
const aboutTheRequest = (status: number | undefined): boolean =>
  status !== 401 && status !== 403 && status !== 429;

const withoutStatus = (status: number | undefined): boolean => status === undefined || status === 403;

const aboutTheHost = (status: number | undefined): boolean =>
  status === undefined || status === 429 || status >= 500;

/**
 * Failures that only the message identifies, tested in this order. Repetitions are bounded, because a message
 * is untrusted input. The hosts of each pattern are named next to it; the messages are from their replies as
 * users have reported them.
 */
const SENTENCES: readonly SentenceRule[] = [
  {
    // "credit balance is too low" and "usage limits" are Anthropic's, "Insufficient Balance" DeepSeek's,
    // "Insufficient credits" OpenRouter's, "usage limit reached" Mistral's, the Chinese ones Zhipu's and
    // DashScope's.
    kind: 'quota_exhausted',
    pattern:
      /insufficient (?:account )?(?:balance|credit|funds|quota)|credit balance is too low|exceeded your (?:current|monthly) (?:quota|included credits)|(?:out of|not enough|no more|more) credits\b|billing (?:hard )?limit|billing (?:details|is not)|^(?!.{0,500}rate.?limit).{0,500}\b(?:usage|spend(?:ing)?) limits?\b|payment required|余额不足|欠费/isu,
  },
  {
    // OpenAI, vLLM, SGLang, llama.cpp, Ollama, OpenRouter, Mistral and Fireworks mention a context; vLLM also a
    // maximum model length and a negative remainder for the answer; xAI a maximum prompt length; Anthropic and
    // Bedrock something that is too long; Gemini a maximum number of tokens; TGI its `inputs`; Moonshot a model
    // token limit; Cohere too many tokens; DashScope a range. "context" alone does not match: "context
    // canceled" is Go's error for a client that disconnected.
    kind: 'context_length_exceeded',
    pattern:
      /\bcontext[ -](?:length|size|window|limit)|\bmaximum (?:model|prompt|input|sequence) length|(?<!['"`’]\s?|\b(?:tool|function|field|parameter)\s)\b(?:prompt|input)s?(?: length)? (?:is |are )?too (?:long|large)\b|exceeds? the maximum number of (?:input )?tokens|\binputs`? (?:must have less than|tokens \+ `?max_new_tokens)|\bmodel token limit|range of input length|\btoo many tokens:|\breduce the length of the (?:messages|prompt|input)|max_tokens must be at least 1, got -\d/iu,
    when: aboutTheRequest,
  },
  {
    // Anthropic, Azure, OpenAI, OpenRouter, DeepSeek, DashScope.
    kind: 'content_policy_violation',
    pattern:
      /content (?:filtering|management|usage) polic|content filter|\bsafety system|requires moderation|(?:input|prompt|content) was flagged|content exists risk|inappropriate content|violat\w{1,5} (?:our |the )?(?:content|usage) polic/iu,
  },
  {
    // Gemini and xAI respond with 400 to a wrong key.
    kind: 'unauthorized',
    pattern:
      /\b(?:invalid|incorrect|missing) api[ _-]?key|\bapi[ _-]?key (?:is )?(?:not valid|invalid|expired)/iu,
    when: (status) => status === undefined || status < 404,
  },
  {
    // Ollama and LM Studio, vLLM, Mistral, OpenRouter, Cloudflare. Only a name and a few filler words may stand
    // between the model and the verb, and a sentence about a tool is not about the requested model.
    kind: 'model_not_found',
    pattern:
      /^(?!.{0,500}\b(?:tool|function)s?\b).{0,500}\bmodel\b[\s:,]{0,3}(?:(?:with|named|called|name|id) ){0,3}(?:(?:["'`‘“][^"'`’”]{1,200}["'`’”]|[^\s"'`]{1,200})[\s,]{1,2})?(?:is |was |could )?(?:not (?:be )?found|does not exist)\b|\b(?:no such|unknown|invalid) model\b|not a valid model id/isu,
  },
  {
    // llama.cpp, TGI, SGLang, Groq, OpenRouter.
    kind: 'unavailable',
    pattern:
      /\boverloaded\b|\b(?:at|over) capacity\b|\bloading model\b|\bqueue is full\b|no (?:available|instances)|no .{0,40}\bprovider available/iu,
    when: aboutTheHost,
  },
  {
    kind: 'rate_limited',
    pattern: /\brate.?limit|\btoo many requests|\b(?:requests|tokens) per (?:second|minute|hour|day)/iu,
    when: withoutStatus,
  },
  { kind: 'timed_out', pattern: /\btim(?:ed|e) ?out\b/iu, when: (status) => status === undefined },
];

const KIND_OF_WORD = index(WORDS);
const KIND_OF_GENERIC_WORD = index(GENERIC_WORDS);

/**
 * Returns the kind of a failure: by a code or type that identifies it, else by the message, else by the status,
 * else by a generic code or type; undefined if none of them is known.
 */
export function classifyError({ status, words, sentences }: ErrorSignals): ProviderErrorKind | undefined {
  const normalized = words.map(normalize);
  return (
    kindIn(KIND_OF_WORD, normalized) ??
    SENTENCES.find(
      ({ pattern, when }) => (when?.(status) ?? true) && sentences.some((sentence) => pattern.test(sentence)),
    )?.kind ??
    (status === undefined ? kindIn(KIND_OF_GENERIC_WORD, normalized) : kindOfStatus(status))
  );
}

/** Returns the kind that an HTTP status stands for, if the body has nothing more specific. */
function kindOfStatus(status: number): ProviderErrorKind {
  switch (status) {
    case 401:
    case 403:
      return 'unauthorized';
    case 402:
      return 'quota_exhausted';
    case 404:
    case 410:
      return 'model_not_found';
    case 429:
      return 'rate_limited';
    case 408:
    case 504:
    case 524: // Cloudflare: the host behind it took too long.
      return 'timed_out';
    // 409, 423, 425: a resource that the request needs is locked or not ready yet.
    case 409:
    case 423:
    case 425:
    case 503:
    case 529:
      return 'unavailable';
    // 424: TGI, for a generation that failed. 499: a proxy, for a client that disconnected.
    case 424:
    case 499:
      return 'broken_answer';
    default:
      return status >= 400 && status <= 499 ? 'rejected' : 'broken_answer';
  }
}

function index(table: Words): ReadonlyMap<string, ProviderErrorKind> {
  const kinds: readonly ProviderErrorKind[] = [
    'context_length_exceeded',
    'content_policy_violation',
    'quota_exhausted',
    'rate_limited',
    'unauthorized',
    'model_not_found',
    'unavailable',
    'timed_out',
    'rejected',
    'broken_answer',
  ];
  return new Map(
    kinds.flatMap((kind) =>
      (table[kind] ?? []).map((word): [string, ProviderErrorKind] => [normalize(word), kind]),
    ),
  );
}

function kindIn(
  kinds: ReadonlyMap<string, ProviderErrorKind>,
  words: readonly string[],
): ProviderErrorKind | undefined {
  return words.map((word) => kinds.get(word)).find((kind) => kind !== undefined);
}

/** Treats `ContextLengthExceeded`, `context-length-exceeded` and `context_length_exceeded` as the same word. */
function normalize(word: string): string {
  return word.toLowerCase().replaceAll(/[^a-z0-9]/g, '');
}
