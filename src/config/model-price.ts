import type { ModelPrice } from '../common/price.js';

/** Maximum price, in US dollars per million tokens. A higher one is a typing error. */
const MAX_PRICE = 100_000;

/**
 * Parses `MODEL_PRICES`; returns undefined if the text is not such an object:
 * `{"provider/model": {"input": 1, "output": 2, "cached"?: 0.1, "cache_write"?: 1.25}}`.
 */
export function parseModelPrices(text: string): Readonly<Record<string, ModelPrice>> | undefined {
  const value = parseJson(text);
  if (!isRecord(value)) return undefined;
  const prices = new Map<string, ModelPrice>();
  for (const [name, given] of Object.entries(value)) {
    const price = toPrice(given);
    if (price === undefined || !/^[^/]+\/./.test(name)) return undefined;
    prices.set(name, price);
  }
  return Object.fromEntries(prices);
}

const KNOWN = new Set(['input', 'output', 'cached', 'cache_write']);

function toPrice(value: unknown): ModelPrice | undefined {
  if (!isRecord(value) || Object.keys(value).some((name) => !KNOWN.has(name))) return undefined;
  const { input, output, cached, cache_write: write } = value;
  if (!isAmount(input) || !isAmount(output)) return undefined;
  if (cached !== undefined && !isAmount(cached)) return undefined;
  if (write !== undefined && !isAmount(write)) return undefined;
  return {
    input,
    output,
    ...(cached !== undefined && { cacheRead: cached }),
    ...(write !== undefined && { cacheWrite: write }),
  };
}

function isAmount(value: unknown): value is number {
  return typeof value === 'number' && value >= 0 && value <= MAX_PRICE;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
