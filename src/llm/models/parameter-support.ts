import { alphanumericDigest } from '../../common/digest.js';
import { AppError } from '../../common/errors.js';
import { droppedFields } from './dropped-fields.js';
import { findOpenAiOnlyField } from '../port/find-openai-only-field.js';
import type { ChatRequest, Protocol } from '../port/index.js';

/** The treatment of a parameter in a protocol. */
type Treatment =
  /** Passed on. */
  | 'passed'
  /** A hint that the protocol has no field for: dropped, and reported to the caller. */
  | 'ignored'
  /** Part of the contract: a request that needs it is refused, with the reason. */
  | 'refused'
  /** Passed on, limited to this maximum; reported to the caller if that changes it. */
  | { readonly atMost: number }
  /** Passed on, but a longer string is replaced by its hash; reported to the caller if that changes it. */
  | { readonly maxLength: number };

/**
 * The parameters that not every protocol can carry. All others are either supported by every protocol or passed
 * on in OpenAI's only.
 */
export type AdaptedParameter =
  | 'temperature'
  | 'top_p'
  | 'n'
  | 'logprobs'
  | 'top_logprobs'
  | 'logit_bias'
  | 'response_format'
  | 'tools'
  | 'tool_choice'
  | 'parallel_tool_calls'
  | 'stop'
  | 'seed'
  | 'presence_penalty'
  | 'frequency_penalty'
  | 'user'
  | 'metadata'
  | 'store'
  | 'service_tier'
  | 'reasoning_effort'
  | 'verbosity'
  | 'prediction'
  | 'modalities'
  | 'audio'
  | 'web_search_options'
  | 'prompt_cache_key'
  | 'safety_identifier';

const OPENAI: Record<AdaptedParameter, Treatment> = {
  temperature: 'passed',
  top_p: 'passed',
  n: 'passed',
  logprobs: 'passed',
  top_logprobs: 'passed',
  logit_bias: 'passed',
  response_format: 'passed',
  tools: 'passed',
  tool_choice: 'passed',
  parallel_tool_calls: 'passed',
  stop: 'passed',
  seed: 'passed',
  presence_penalty: 'passed',
  frequency_penalty: 'passed',
  // "Invalid 'user': string too long. Expected a string with maximum length 64"
  user: { maxLength: 64 },
  metadata: 'passed',
  store: 'passed',
  service_tier: 'passed',
  reasoning_effort: 'passed',
  verbosity: 'passed',
  prediction: 'passed',
  modalities: 'passed',
  audio: 'passed',
  web_search_options: 'passed',
  prompt_cache_key: 'passed',
  safety_identifier: 'passed',
};

/**
 * The single table of the parameters that each API format passes on, drops, refuses or shortens. Limits of
 * individual models are up to their provider (`ModelProvider.droppedParameters`).
 */
export const PARAMETERS: Record<Protocol, Record<AdaptedParameter, Treatment>> = {
  openai: OPENAI,
  anthropic: {
    ...OPENAI,
    temperature: { atMost: 1 },
    n: 'refused',
    logprobs: 'refused',
    top_logprobs: 'refused',
    logit_bias: 'ignored',
    response_format: 'passed',
    seed: 'ignored',
    presence_penalty: 'ignored',
    frequency_penalty: 'ignored',
    // The maximum length of `metadata.user_id`: https://platform.claude.com/docs/en/api/messages
    user: { maxLength: 256 },
    metadata: 'ignored',
    store: 'ignored',
    service_tier: 'ignored',
    verbosity: 'ignored',
    prediction: 'ignored',
    modalities: 'refused',
    audio: 'refused',
    web_search_options: 'refused',
    prompt_cache_key: 'ignored',
    safety_identifier: 'ignored',
  },
  ollama: {
    ...OPENAI,
    n: 'refused',
    logprobs: 'refused',
    top_logprobs: 'refused',
    logit_bias: 'ignored',
    tool_choice: 'refused',
    parallel_tool_calls: 'ignored',
    user: 'ignored',
    metadata: 'ignored',
    store: 'ignored',
    service_tier: 'ignored',
    reasoning_effort: 'passed',
    verbosity: 'ignored',
    prediction: 'ignored',
    modalities: 'refused',
    audio: 'refused',
    web_search_options: 'refused',
    prompt_cache_key: 'ignored',
    safety_identifier: 'ignored',
  },
  demo: {
    temperature: 'ignored',
    top_p: 'ignored',
    n: 'refused',
    logprobs: 'refused',
    top_logprobs: 'refused',
    logit_bias: 'ignored',
    response_format: 'refused',
    tools: 'refused',
    tool_choice: 'ignored',
    parallel_tool_calls: 'ignored',
    stop: 'ignored',
    seed: 'ignored',
    presence_penalty: 'ignored',
    frequency_penalty: 'ignored',
    user: 'ignored',
    metadata: 'ignored',
    store: 'ignored',
    service_tier: 'ignored',
    reasoning_effort: 'ignored',
    verbosity: 'ignored',
    prediction: 'ignored',
    modalities: 'refused',
    audio: 'refused',
    web_search_options: 'refused',
    prompt_cache_key: 'ignored',
    safety_identifier: 'ignored',
  },
};

/** The table as lists, built once because every request uses them. */
const TREATMENTS: Readonly<Record<Protocol, readonly [AdaptedParameter, Treatment][]>> = {
  openai: entriesOf(PARAMETERS.openai),
  anthropic: entriesOf(PARAMETERS.anthropic),
  ollama: entriesOf(PARAMETERS.ollama),
  demo: entriesOf(PARAMETERS.demo),
};

/** Length of the hash that replaces a string that is too long, in characters. */
const HASH_LENGTH = 32;

/** A request adapted to a protocol, and the names of the fields that it could not carry. */
export interface AdaptedRequest {
  readonly request: ChatRequest;
  readonly ignored: readonly string[];
}

/**
 * Fits a request to an API format. A request that its caller wrote in OpenAI's own format is passed on
 * unchanged: its content is between the caller and the host.
 * @param translated true if the caller wrote the request in another format
 * @throws AppError `invalid_request` that names a parameter which the answer would have to honor and cannot
 */
export function adaptRequest(
  request: ChatRequest,
  protocol: Protocol,
  model: string,
  translated = false,
): AdaptedRequest {
  if (protocol === 'openai' && !translated) return { request, ignored: [] };
  const refusedName = unsupportedParameter(request, protocol);
  if (refusedName !== undefined) throw unsupportedParameterError(refusedName, model, request);
  const adapted: ChatRequest = { ...request };
  const ignored = TREATMENTS[protocol].flatMap(([name, treatment]) =>
    hasEffect(request, name) && adaptParameter(adapted, name, treatment) ? [name] : [],
  );
  const dropped =
    protocol === 'openai' ? [] : droppedFields(request, protocol, (name) => Object.hasOwn(OPENAI, name));
  return { request: adapted, ignored: [...ignored, ...dropped] };
}

/** Adapts one parameter of a request. Returns true if that changed it. */
function adaptParameter(request: ChatRequest, name: AdaptedParameter, treatment: Treatment): boolean {
  if (treatment === 'passed' || treatment === 'refused') return false;
  if (treatment === 'ignored') return Reflect.deleteProperty(request, name);
  const value: unknown = request[name];
  if ('atMost' in treatment) {
    if (typeof value !== 'number' || value <= treatment.atMost) return false;
    return Reflect.set(request, name, treatment.atMost);
  }
  if (typeof value !== 'string' || value.length <= treatment.maxLength) return false;
  return Reflect.set(request, name, alphanumericDigest(value, HASH_LENGTH));
}

/** Returns the first field that a request needs and a protocol cannot carry. */
export function unsupportedParameter(request: ChatRequest, protocol: Protocol): string | undefined {
  if (protocol === 'openai') return undefined;
  const refusedEntry = TREATMENTS[protocol].find(
    ([name, treatment]) => treatment === 'refused' && hasEffect(request, name),
  );
  return refusedEntry?.[0] ?? unenforceableFormat(request, protocol) ?? findOpenAiOnlyField(request);
}

/** Returns the response format if it is one that Anthropic cannot enforce: JSON without a schema. */
function unenforceableFormat(
  { response_format: format }: ChatRequest,
  protocol: Protocol,
): string | undefined {
  return protocol === 'anthropic' && format?.type === 'json_object' ? 'response_format' : undefined;
}

/** Returns true if a parameter has an effect: a value that equals the default has none. */
function hasEffect(request: ChatRequest, name: AdaptedParameter): boolean {
  const value: unknown = request[name];
  if (value === undefined || value === null) return false;
  if (name === 'parallel_tool_calls') return value === false;
  if (value === false) return false;
  if (name === 'n' || name === 'top_p') return value !== 1;
  // `auto` is the default, and every protocol can honor `none`: the tools are not sent.
  if (name === 'tool_choice') return value !== 'auto' && value !== 'none';
  if (name === 'response_format') return request.response_format?.type !== 'text';
  if (name === 'modalities') return Array.isArray(value) && value.some((modality) => modality !== 'text');
  return !(Array.isArray(value) && value.length === 0);
}

/** Returns the error for a request that a model cannot honor. */
export function unsupportedParameterError(name: string, model: string, request: ChatRequest): AppError {
  const type = request.response_format?.type;
  const isJson = name === 'response_format' && type === 'json_object';
  const [field, way] = isJson
    ? [`a 'response_format' of the type '${type}'`, "Use 'json_schema' if the model supports it,"]
    : [`'${name}'`, 'Omit it,'];
  return new AppError(
    'invalid_request',
    `The model '${model}' does not support ${field}. ${way} or use another model.`,
    {
      param: name,
    },
  );
}

/** Returns `Object.entries` with the exact type of the keys. */
function entriesOf<Key extends string, Value>(table: Record<Key, Value>): [Key, Value][] {
  const keys: Key[] = [];
  for (const key in table) keys.push(key);
  return keys.map((key) => [key, table[key]]);
}
