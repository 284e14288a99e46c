/** An additional host with an OpenAI-compatible API. */
export interface LlmHost {
  /** First segment of its models' full names. */
  readonly id: string;
  /** Base URL, including `/v1`. */
  readonly baseUrl: string;
  readonly apiKey: string | undefined;
  /** Its models, for a host that does not list them itself. */
  readonly models: readonly string[] | undefined;
  /** Maximum wait for its first token, in milliseconds, if it differs from the general timeout. */
  readonly firstTokenMs: number | undefined;
}

const RESERVED = new Set(['openai', 'anthropic', 'ollama', 'demo']);

/** Parses `LLM_HOSTS`; returns undefined if the text is not such a list. */
export function parseLlmHosts(text: string): readonly LlmHost[] | undefined {
  const list = parseJson(text);
  if (!Array.isArray(list)) return undefined;
  const hosts = list.map(toHost);
  const valid = hosts.filter((host) => host !== undefined);
  const ids = new Set(valid.map(({ id }) => id));
  return valid.length === hosts.length && ids.size === hosts.length ? valid : undefined;
}

/** Parses the chains of `MODEL_ALIASES`; returns undefined if the text is not such an object. */
export function parseModelAliases(text: string): Readonly<Record<string, readonly string[]>> | undefined {
  const value = parseJson(text);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
  const chains: [string, readonly string[]][] = [];
  for (const [name, list] of Object.entries(value)) {
    const chain = stringsOf(list);
    if (chain === undefined || chain.length === 0) return undefined;
    chains.push([name, chain]);
  }
  // Not by assignment: assigning a name like `__proto__` would set the prototype instead of adding an entry.
  return Object.fromEntries(chains);
}

function toHost(value: unknown): LlmHost | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const field = (name: string): unknown => Reflect.get(value, name);
  const known = new Set(['id', 'base_url', 'api_key', 'models', 'first_token_timeout_ms']);
  if (Object.keys(value).some((name) => !known.has(name))) return undefined;
  const [id, baseUrl, apiKey, list, wait] = [
    'id',
    'base_url',
    'api_key',
    'models',
    'first_token_timeout_ms',
  ].map(field);
  if (typeof id !== 'string' || !/^[a-z0-9][a-z0-9._-]*$/.test(id) || RESERVED.has(id)) return undefined;
  if (typeof baseUrl !== 'string' || !/^https?:\/\//.test(baseUrl) || !URL.canParse(baseUrl))
    return undefined;
  const models = list === undefined ? undefined : stringsOf(list);
  if (list !== undefined && models === undefined) return undefined;
  if (apiKey !== undefined && typeof apiKey !== 'string') return undefined;
  if (wait !== undefined && !(typeof wait === 'number' && Number.isInteger(wait) && wait > 0))
    return undefined;
  return { id, baseUrl, apiKey, models, firstTokenMs: wait };
}

function stringsOf(value: unknown): readonly string[] | undefined {
  if (!Array.isArray(value)) return undefined;
  const strings = value.filter((one: unknown) => typeof one === 'string' && one !== '');
  return strings.length === value.length ? strings : undefined;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
