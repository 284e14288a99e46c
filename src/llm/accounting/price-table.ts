import type { MicroUsd } from '../../common/money.js';
import type { ModelPrice } from '../../common/price.js';
import type { TokenUsage } from '../port/index.js';
import { LIST_PRICES } from './list-prices.js';

/** Key of the entry for all models of a provider that have no entry of their own. */
const ANY = '*';

/** Matches the date suffix of a snapshot, whose price is that of the model name: `-2026-04-23`, `-20251101`. */
const SNAPSHOT = /-(\d{4}-\d{2}-\d{2}|\d{8}|latest)$/;

/** Looks up the prices of models. */
export class PriceTable {
  /**
   * @param overrides by full name, or `provider/*` for all models of a provider; they take precedence over the
   * list prices
   */
  constructor(private readonly overrides: Readonly<Record<string, ModelPrice>> = {}) {}

  /** Returns the price in force, or undefined if none is known. */
  priceOf({
    provider,
    model,
  }: {
    readonly provider: string;
    readonly model: string;
  }): ModelPrice | undefined {
    const listed = own(LIST_PRICES, provider) ?? {};
    const base = model.replace(SNAPSHOT, '');
    return (
      own(this.overrides, `${provider}/${model}`) ??
      own(this.overrides, `${provider}/${base}`) ??
      own(this.overrides, `${provider}/${ANY}`) ??
      own(listed, model) ??
      own(listed, base) ??
      own(listed, ANY)
    );
  }

  /** Returns true if the table names exactly this model, and not only a wildcard or the model without its date. */
  isNamed({ provider, model }: { readonly provider: string; readonly model: string }): boolean {
    const listed = own(LIST_PRICES, provider) ?? {};
    if (model === ANY) return false;
    return Object.hasOwn(this.overrides, `${provider}/${model}`) || Object.hasOwn(listed, model);
  }

  /**
   * Returns the cost of a usage: each kind of token at its price, rounded up to whole micro-dollars, so that no
   * paid usage is free. Null if the price is unknown; a usage of zero tokens costs nothing even then.
   */
  costOf(model: { readonly provider: string; readonly model: string }, usage: TokenUsage): MicroUsd | null {
    if (usage.inputTokens === 0 && usage.outputTokens === 0) return 0n;
    const price = this.priceOf(model);
    return price === undefined ? null : costAt(price, usage);
  }

  /**
   * Returns the maximum cost of these tokens over all models, or the name of the first model without a known
   * price.
   */
  maxCost(
    models: readonly { readonly provider: string; readonly model: string; readonly name: string }[],
    inputTokens: number,
    outputTokens: number,
  ): { readonly microUsd: MicroUsd } | { readonly unpriced: string } {
    const usage = { inputTokens, outputTokens, cachedTokens: 0, cacheWriteTokens: 0, reasoningTokens: 0 };
    let microUsd = 0n;
    for (const model of models) {
      const price = this.priceOf(model);
      if (price === undefined) return { unpriced: model.name };
      const cost = costAt(price, usage);
      if (cost > microUsd) microUsd = cost;
    }
    return { microUsd };
  }
}

/** Returns the cost of a usage at a price. */
export function costAt(listed: ModelPrice, usage: TokenUsage): MicroUsd {
  const { inputTokens, outputTokens, cachedTokens, cacheWriteTokens } = usage;
  const price = listed.long !== undefined && inputTokens > listed.long.above ? listed.long.price : listed;
  // A host may report more cached tokens than input; the remainder is never negative.
  const plain = Math.max(0, inputTokens - cachedTokens - cacheWriteTokens);
  const sum =
    picos(plain, price.input) +
    picos(cachedTokens, price.cacheRead ?? price.input) +
    picos(cacheWriteTokens, price.cacheWrite ?? price.input) +
    picos(outputTokens, price.output);
  return (sum + PICO_PER_MICRO - 1n) / PICO_PER_MICRO;
}

const PICO_PER_MICRO = 1_000_000n;

/** Returns the cost as an integer in the smallest unit of any price: sums of floats drift. */
function picos(tokens: number, pricePerToken: number): bigint {
  return BigInt(tokens) * BigInt(Math.round(pricePerToken * 1_000_000));
}

/** Returns an own property of the table; a model may be called `constructor`. */
function own<Value>(table: Readonly<Record<string, Value>>, name: string): Value | undefined {
  return Object.hasOwn(table, name) ? table[name] : undefined;
}
