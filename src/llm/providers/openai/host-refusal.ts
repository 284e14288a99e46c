import type { ProviderError } from '../../port/index.js';

/** Maximum length of a refusal that is examined, in characters. */
const MAX_LENGTH = 10_000;

/** Maximum nesting depth of a refusal that is read. */
const MAX_DEPTH = 8;

/** Fields in which a host echoes the request. */
const ECHOES: ReadonlySet<string> = new Set(['input', 'body', 'request']);

/**
 * A request that a host refused because of its content, with the host's complete response. Never leaves the
 * provider.
 */
export class HostRefusal extends Error {
  override readonly name = 'HostRefusal';

  /**
   * @param reason the refusal as the model layer sees it
   * @param body the host's response as received
   */
  constructor(
    readonly reason: ProviderError,
    private readonly body: string,
  ) {
    super(reason.message, { cause: reason });
  }

  /**
   * Returns all strings of the response as one text: the message, and the names in `param` and `loc`. Hosts
   * that validate with pydantic name the field only in `loc`.
   */
  get text(): string {
    try {
      return textsIn(JSON.parse(this.body), 0).join('\n').slice(0, MAX_LENGTH);
    } catch {
      return this.body.slice(0, MAX_LENGTH);
    }
  }
}

function textsIn(value: unknown, depth: number): string[] {
  if (typeof value === 'string') return [value];
  if (typeof value !== 'object' || value === null || depth > MAX_DEPTH) return [];
  return Object.entries(value).flatMap(([name, inner]: [string, unknown]) =>
    ECHOES.has(name) ? [] : textsIn(inner, depth + 1),
  );
}
