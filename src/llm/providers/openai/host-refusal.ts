import type { ProviderError } from '../../port/index.js';

/** Longest part of a refusal that is looked at, in characters. */
const MAX_LENGTH = 10_000;

/** Deepest nesting of a refusal that is read. */
const MAX_DEPTH = 8;

/** Fields in which a host repeats what it was sent. */
const ECHOES: ReadonlySet<string> = new Set(['input', 'body', 'request']);

/** A request that a host refused for what stands in it, with all that the host said. Never leaves the provider. */
export class HostRefusal extends Error {
  override readonly name = 'HostRefusal';

  /**
   * @param reason the same as the model layer reads it
   * @param body the host's answer as it came
   */
  constructor(
    readonly reason: ProviderError,
    private readonly body: string,
  ) {
    super(reason.message, { cause: reason });
  }

  /**
   * All that the host said as one text: its sentence, and the names in `param` and `loc`. Hosts that check with pydantic
   * name the field in `loc` alone.
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
