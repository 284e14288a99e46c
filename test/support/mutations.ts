/** A request body with one changed field. */
export interface Mutation {
  /** The field and its new value: `messages.0.content = 7`. */
  readonly label: string;
  /** The value that was replaced or removed. */
  readonly original: unknown;
  readonly body: unknown;
}

/**
 * Replacements for any value. A value of the same type is not a mistake, but must not cause a failure either.
 */
const WRONG_VALUES: readonly unknown[] = [null, 7, 'text', [], [null], {}, { type: 'unheard-of' }];

/**
 * Returns every body that differs from a valid one in one nested field, which is missing or has a wrong
 * value.
 */
export function mutationsOf(good: unknown): Mutation[] {
  return pathsIn(good).flatMap(([path, original]) => [
    { label: `${path.join('.')} left out`, original, body: changed(good, path, undefined) },
    ...WRONG_VALUES.map((value) => ({
      label: `${path.join('.')} = ${JSON.stringify(value)}`,
      original,
      body: changed(good, path, value),
    })),
  ]);
}

/** Returns every path in a value with the value at that path. */
function pathsIn(value: unknown, before: readonly string[] = []): [path: string[], value: unknown][] {
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([name, inner]: [string, unknown]): [string[], unknown][] => {
    const path = [...before, name];
    return [[path, inner], ...pathsIn(inner, path)];
  });
}

/** Returns a copy with another value at a path; undefined removes the field or array entry. */
function changed(value: unknown, [name, ...rest]: readonly string[], replacement: unknown): unknown {
  if (name === undefined) return replacement;
  if (Array.isArray(value)) {
    return value.flatMap((inner: unknown, index) => {
      if (String(index) !== name) return [inner];
      const next = changed(inner, rest, replacement);
      return next === undefined ? [] : [next];
    });
  }
  return Object.fromEntries(
    Object.entries(Object(value) as object).map(([key, inner]: [string, unknown]) => [
      key,
      key === name ? changed(inner, rest, replacement) : inner,
    ]),
  );
}
