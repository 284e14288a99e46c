/** Bounds of a context window, in tokens. A smaller one has no room for a turn, a larger one is a typing error. */
const MIN_WINDOW = 256;
const MAX_WINDOW = 100_000_000;

/**
 * Parses `MODEL_CONTEXT_WINDOWS`; returns undefined if the text is not such an object: `{"provider/model": 32768}`,
 * with `provider/*` for all models of a provider.
 */
export function parseContextWindows(text: string): Readonly<Record<string, number>> | undefined {
  const value = parseJson(text);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
  const windows = new Map<string, number>();
  for (const [name, tokens] of Object.entries(value)) {
    if (!isWindow(tokens) || !/^[^/]+\/./.test(name)) return undefined;
    windows.set(name, tokens);
  }
  return Object.fromEntries(windows);
}

function isWindow(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= MIN_WINDOW && value <= MAX_WINDOW;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
