/** A request body that is good but for one field. */
export interface Mutation {
  /** The field and what stands in its place: `messages.0.content = 7`. */
  readonly label: string;
  /** The value that was replaced or left out. */
  readonly original: unknown;
  readonly body: unknown;
}

/** What may stand in the place of any value; a value of its own type is no mistake, but must do no harm either. */
const WRONG_VALUES: readonly unknown[] = [null, 7, 'text', [], [null], {}, { type: 'unheard-of' }];

/** Every body that differs from a good one in one nested field: without it, or with a wrong value in its place. */
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

/** Every path into a value, with what is there. */
function pathsIn(value: unknown, before: readonly string[] = []): [path: string[], value: unknown][] {
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([name, inner]: [string, unknown]): [string[], unknown][] => {
    const path = [...before, name];
    return [[path, inner], ...pathsIn(inner, path)];
  });
}

/** A copy with another value at a path; undefined takes the field, or the entry of a list, away. */
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
