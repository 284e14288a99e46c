/** One environment variable: what it means, what it takes, and how its text becomes a value. */
export interface Setting<Value> {
  /** One line for the README and `.env.example`. */
  readonly meaning: string;
  /** The default as it is documented: a literal value, or words where the default depends on something. */
  readonly shownDefault: string;
  /** What the variable takes, as the end of the sentence "NAME must be …". */
  readonly takes: string;
  /** True where the value must not be printed, not even in an error. */
  readonly secret: boolean;
  /** The value where the variable is not set. */
  readonly fallback: Value;
  /** The value of a text that was set, or undefined where the text is not one. */
  readonly parse: (given: string) => Value | undefined;
}

interface Description {
  readonly meaning: string;
}

/** A text that may be left out. */
export function optionalText(
  options: Description & { secret?: boolean; minLength?: number },
): Setting<string | undefined> {
  const minLength = options.minLength ?? 1;
  return {
    meaning: options.meaning,
    shownDefault: 'none',
    takes: minLength > 1 ? `at least ${String(minLength)} characters long` : 'a text',
    secret: options.secret ?? false,
    fallback: undefined,
    parse: (given) => (given.length >= minLength ? given : undefined),
  };
}

/** A text with a default. */
export function text(options: Description & { default: string }): Setting<string> {
  return {
    meaning: options.meaning,
    shownDefault: options.default,
    takes: 'a text',
    secret: false,
    fallback: options.default,
    parse: (given) => given,
  };
}

/** A whole number within bounds. */
export function wholeNumber(
  options: Description & { default: number; min: number; max: number },
): Setting<number> {
  return {
    meaning: options.meaning,
    shownDefault: String(options.default),
    takes: `a whole number from ${String(options.min)} to ${String(options.max)}`,
    secret: false,
    fallback: options.default,
    parse: (given) => {
      const value = Number(given);
      return /^\d+$/.test(given) && value >= options.min && value <= options.max ? value : undefined;
    },
  };
}

/** A whole number within bounds that may be left out. */
export function optionalWholeNumber(
  options: Description & { min: number; max: number },
): Setting<number | undefined> {
  return { ...wholeNumber({ ...options, default: options.min }), shownDefault: 'none', fallback: undefined };
}

/** An amount in US dollars, to the cent, that may be left out. */
export function optionalUsd(options: Description & { max: number }): Setting<number | undefined> {
  return {
    meaning: options.meaning,
    shownDefault: 'none',
    takes: `an amount in US dollars up to ${String(options.max)}, like 20 or 12.50`,
    secret: false,
    fallback: undefined,
    parse: (given) => {
      const value = Number(given);
      return /^\d+(\.\d{1,2})?$/.test(given) && value <= options.max ? value : undefined;
    },
  };
}

/** One of a few words. */
export function oneOf<const Choice extends string>(
  options: Description & { choices: readonly Choice[]; default: Choice },
): Setting<Choice> {
  return {
    meaning: options.meaning,
    shownDefault: options.default,
    takes: `one of ${options.choices.join(', ')}`,
    secret: false,
    fallback: options.default,
    parse: (given) => options.choices.find((choice) => choice === given),
  };
}

/** One of a few words whose default is decided elsewhere. */
export function optionalOneOf<const Choice extends string>(
  options: Description & { choices: readonly Choice[]; shownDefault: string },
): Setting<Choice | undefined> {
  return {
    meaning: options.meaning,
    shownDefault: options.shownDefault,
    takes: `one of ${options.choices.join(', ')}`,
    secret: false,
    fallback: undefined,
    parse: (given) => options.choices.find((choice) => choice === given),
  };
}

/** A URL with one of the given schemes that may be left out. It may hold a password, so it is never printed. */
export function optionalUrl(
  options: Description & { schemes: readonly string[] },
): Setting<string | undefined> {
  return {
    meaning: options.meaning,
    shownDefault: 'none',
    takes: `a URL that begins with ${options.schemes.map((scheme) => `${scheme}://`).join(' or ')}`,
    secret: true,
    fallback: undefined,
    parse: (given) => {
      if (!URL.canParse(given)) return undefined;
      return options.schemes.includes(new URL(given).protocol.slice(0, -1)) ? given : undefined;
    },
  };
}

/** A JSON value with a default, which is documented as it would be written. */
export function json<Value>(
  options: Description & {
    fallback: Value;
    takes: string;
    secret: boolean;
    parse: (given: string) => Value | undefined;
  },
): Setting<Value> {
  return { ...options, shownDefault: JSON.stringify(options.fallback) };
}
