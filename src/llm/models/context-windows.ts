import { KNOWN_WINDOWS } from './known-context-windows.js';

/**
 * Context window assumed for a model of which nothing is known, in tokens: most models in service have at least
 * this much.
 */
const UNKNOWN_TOKENS = 8_192;

/** Key of the entry for all models of a provider that have no entry of their own. */
const ANY = '*';

/** The context window of a model. */
export interface ContextWindow {
  /** Maximum tokens of the request and its answer together. */
  readonly tokens: number;
  /** False if it is an estimate. */
  readonly known: boolean;
}

/** A model by its provider's own name. */
interface NamedModel {
  readonly provider: string;
  readonly model: string;
}

/** Looks up the context windows of models. */
export class ContextWindows {
  /**
   * @param overrides by full name, or `provider/*` for all models of a provider; they take precedence over
   * everything else
   */
  constructor(private readonly overrides: Readonly<Record<string, number>> = {}) {}

  /**
   * Returns the context window of a model: the configured one, else the provider's, else the published one,
   * else an estimate.
   * @param queryProvider queries the provider; called only if nothing is configured. It must not fail.
   */
  async contextWindowOf(
    model: NamedModel,
    queryProvider: () => Promise<number | undefined>,
  ): Promise<ContextWindow> {
    const tokens = this.configured(model) ?? (await queryProvider()) ?? published(model);
    return tokens === undefined ? { tokens: UNKNOWN_TOKENS, known: false } : { tokens, known: true };
  }

  private configured({ provider, model }: NamedModel): number | undefined {
    return own(this.overrides, `${provider}/${model}`) ?? own(this.overrides, `${provider}/${ANY}`);
  }
}

/** Returns the smallest context window of a chain of models: a request must fit whichever model answers. */
export function smallestContextWindow(windows: readonly ContextWindow[]): ContextWindow {
  const [first, ...others] = windows;
  if (first === undefined) throw new Error('A chain without models was resolved.');
  return others.reduce((smallest, window) => (window.tokens < smallest.tokens ? window : smallest), first);
}

function published({ provider, model }: NamedModel): number | undefined {
  const of = own(KNOWN_WINDOWS, provider) ?? {};
  const [longest = ANY] = Object.keys(of)
    .filter((beginning) => model.startsWith(beginning))
    .sort((one, other) => other.length - one.length);
  return own(of, longest);
}

/** Returns an own property of the table; a model may be called `constructor`. */
function own<Value>(table: Readonly<Record<string, Value>>, name: string): Value | undefined {
  return Object.hasOwn(table, name) ? table[name] : undefined;
}
