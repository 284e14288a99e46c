/** One environment variable: its description, the values that it accepts, and how its text is parsed. */
export interface Setting<Value> {
  /** One line for the documentation and `.env.example`. */
  readonly description: string;
  /** The default as documented: a literal value, or words if the default depends on something. */
  readonly defaultLabel: string;
  /** Accepted values, as the end of the sentence "NAME must be …". */
  readonly accepts: string;
  /** True if the value must never be printed, not even in an error. */
  readonly secret: boolean;
  /** Value used if the variable is not set. */
  readonly fallback: Value;
  /** Name of the variable in the previous release, which is still accepted. */
  readonly formerly?: string;
  /** Returns the value of a text, or undefined if the text is not valid. */
  readonly parse: (given: string) => Value | undefined;
}

interface Described {
  readonly description: string;
}

/** An optional text. */
export function optionalText(
  options: Described & { secret?: boolean; minLength?: number },
): Setting<string | undefined> {
  const minLength = options.minLength ?? 1;
  return {
    description: options.description,
    defaultLabel: 'none',
    accepts: minLength > 1 ? `at least ${String(minLength)} characters` : 'text',
    secret: options.secret ?? false,
    fallback: undefined,
    parse: (given) => (given.length >= minLength ? given : undefined),
  };
}

/** A text with a default. */
export function textSetting(options: Described & { default: string }): Setting<string> {
  return {
    description: options.description,
    defaultLabel: options.default,
    accepts: 'text',
    secret: false,
    fallback: options.default,
    parse: (given) => given,
  };
}

/** A whole number within bounds. */
export function wholeNumber(
  options: Described & { default: number; min: number; max: number },
): Setting<number> {
  return {
    description: options.description,
    defaultLabel: String(options.default),
    accepts: `a whole number from ${String(options.min)} to ${String(options.max)}`,
    secret: false,
    fallback: options.default,
    parse: (given) => {
      const value = Number(given);
      return /^\d+$/.test(given) && value >= options.min && value <= options.max ? value : undefined;
    },
  };
}

/** Maximum delay of a Node timer, in milliseconds. */
const MAX_TIMER_MS = 2_147_483_647;

/** A duration in milliseconds. */
export function milliseconds(fallback: number, description: string): Setting<number> {
  return wholeNumber({ default: fallback, min: 1, max: MAX_TIMER_MS, description });
}

/** Maximum of every limit; a limit of this size is effectively off. */
const MAX_LIMIT = 1_000_000_000;

/** A limit of requests, tokens or answers. */
export function limit(fallback: number, description: string): Setting<number> {
  return wholeNumber({ default: fallback, min: 1, max: MAX_LIMIT, description });
}

/** An optional whole number within bounds. */
export function optionalWholeNumber(
  options: Described & { min: number; max: number; defaultLabel?: string },
): Setting<number | undefined> {
  const { defaultLabel = 'none' } = options;
  return { ...wholeNumber({ ...options, default: options.min }), defaultLabel, fallback: undefined };
}

/** An optional amount in US dollars, with at most two decimals. */
export function optionalUsd(options: Described & { max: number }): Setting<number | undefined> {
  return {
    description: options.description,
    defaultLabel: 'none',
    accepts: `an amount in US dollars up to ${String(options.max)}, such as 20 or 12.50`,
    secret: false,
    fallback: undefined,
    parse: (given) => {
      const value = Number(given);
      return /^\d+(\.\d{1,2})?$/.test(given) && value <= options.max ? value : undefined;
    },
  };
}

/** An optional decimal number within bounds, with at most three decimals. */
export function optionalDecimal(
  options: Described & { min: number; max: number; defaultLabel: string },
): Setting<number | undefined> {
  return {
    description: options.description,
    defaultLabel: options.defaultLabel,
    accepts: `a number from ${String(options.min)} to ${String(options.max)} with at most three decimals`,
    secret: false,
    fallback: undefined,
    parse: (given) => {
      const value = Number(given);
      return /^-?\d+(\.\d{1,3})?$/.test(given) && value >= options.min && value <= options.max
        ? value
        : undefined;
    },
  };
}

/** A decimal number within bounds, with at most three decimals and a default. */
export function decimal(options: Described & { default: number; min: number; max: number }): Setting<number> {
  return {
    ...optionalDecimal({ ...options, defaultLabel: String(options.default) }),
    fallback: options.default,
  };
}

/** One of several fixed values. */
export function oneOf<const Choice extends string>(
  options: Described & { choices: readonly Choice[]; default: Choice },
): Setting<Choice> {
  return {
    description: options.description,
    defaultLabel: options.default,
    accepts: `one of ${options.choices.join(', ')}`,
    secret: false,
    fallback: options.default,
    parse: (given) => options.choices.find((choice) => choice === given),
  };
}

/** One of several fixed values, with a default that is decided elsewhere. */
export function optionalOneOf<const Choice extends string>(
  options: Described & { choices: readonly Choice[]; defaultLabel: string },
): Setting<Choice | undefined> {
  return {
    description: options.description,
    defaultLabel: options.defaultLabel,
    accepts: `one of ${options.choices.join(', ')}`,
    secret: false,
    fallback: undefined,
    parse: (given) => options.choices.find((choice) => choice === given),
  };
}

/** An optional URL with one of the given schemes. It may contain a password, so it is never printed. */
export function optionalUrl(
  options: Described & { schemes: readonly string[] },
): Setting<string | undefined> {
  return {
    description: options.description,
    defaultLabel: 'none',
    accepts: `a URL that begins with ${options.schemes.map((scheme) => `${scheme}://`).join(' or ')}`,
    secret: true,
    fallback: undefined,
    parse: (given) => {
      if (!URL.canParse(given)) return undefined;
      return options.schemes.includes(new URL(given).protocol.slice(0, -1)) ? given : undefined;
    },
  };
}

/** A JSON value with a default, which is documented as JSON. */
export function jsonSetting<Value>(
  options: Described & {
    fallback: Value;
    accepts: string;
    secret: boolean;
    formerly?: string;
    parse: (given: string) => Value | undefined;
  },
): Setting<Value> {
  return { ...options, defaultLabel: JSON.stringify(options.fallback) };
}
