import { KNOWN_WINDOWS } from './known-context-windows.js';

/** What is taken for the window of a model that nothing is known of: most that are served today have it. */
const UNKNOWN_TOKENS = 8_192;

/** Any model of a provider, or what has no entry of its own. */
const ANY = '*';

/** How much a model can be told. */
export interface ContextWindow {
  /** Tokens of the request and its answer together, at the most. */
  readonly tokens: number;
  /** False where it is an estimate. */
  readonly known: boolean;
}

/** A model, as its provider knows it. */
interface NamedModel {
  readonly provider: string;
  readonly model: string;
}

/** Knows how much models can be told. */
export class ContextWindows {
  /** @param overrides by full name, or `provider/*` for all models of a provider; they go before everything else */
  constructor(private readonly overrides: Readonly<Record<string, number>> = {}) {}

  /**
   * The window of a model: what the configuration says, else its provider, else the published figures, else an estimate.
   * @param told asks the provider; only where nothing is configured. It must not fail.
   */
  async windowOf(model: NamedModel, told: () => Promise<number | undefined>): Promise<ContextWindow> {
    const tokens = this.configured(model) ?? (await told()) ?? published(model);
    return tokens === undefined ? { tokens: UNKNOWN_TOKENS, known: false } : { tokens, known: true };
  }

  private configured({ provider, model }: NamedModel): number | undefined {
    return own(this.overrides, `${provider}/${model}`) ?? own(this.overrides, `${provider}/${ANY}`);
  }
}

/** The smallest window of a chain of models: what is told must fit whichever answers. */
export function smallestOf(windows: readonly ContextWindow[]): ContextWindow {
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

/** A field of the table itself; a model may be called `constructor`. */
function own<Value>(table: Readonly<Record<string, Value>>, name: string): Value | undefined {
  return Object.hasOwn(table, name) ? table[name] : undefined;
}
