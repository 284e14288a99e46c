import type { ModelPrice } from '../../common/price.js';

/** Anthropic's price of input that is cached for five minutes, relative to other input. */
const CLAUDE_WRITE = 1.25;

/** OpenAI's price of cache writes, relative to other input, from GPT-5.6 on; they were free before. */
const GPT_WRITE = 1.25;

/**
 * Input tokens above which a request to OpenAI's models with a million tokens counts as long, and costs more
 * from its first token on.
 */
const LONG_ABOVE = 272_000;

/**
 * Returns the price of a Claude model. Input that is cached for an hour costs 2 × and not 1.25 ×, which our
 * usage figures do not distinguish.
 */
function claude(input: number, output: number, cacheRead: number): ModelPrice {
  return { input, output, cacheRead, cacheWrite: input * CLAUDE_WRITE };
}

function gpt(input: number, output: number, cacheRead: number): ModelPrice {
  return { input, output, cacheRead };
}

/**
 * Returns the price of a model with OpenAI's surcharge for long requests: twice the input, one and a half times
 * the output.
 */
function longGpt(input: number, output: number, cacheRead: number, write?: number): ModelPrice {
  const of = (inputFactor: number, outputFactor: number): ModelPrice => ({
    input: input * inputFactor,
    output: output * outputFactor,
    cacheRead: cacheRead * inputFactor,
    ...(write !== undefined && { cacheWrite: input * inputFactor * write }),
  });
  return { ...of(1, 1), long: { above: LONG_ABOVE, price: of(2, 1.5) } };
}

/** Returns the price of an embedding model, which has no output. */
function embedding(input: number): ModelPrice {
  return { input, output: 0 };
}

/**
 * List prices of the common models as of November 2026, standard tier, by provider and name.
 * https://platform.claude.com/docs/en/about-claude/pricing, https://developers.openai.com/api/docs/pricing
 *
 * A model that is missing has no known price; models whose price could not be confirmed are missing.
 */
export const LIST_PRICES: Readonly<Record<string, Readonly<Record<string, ModelPrice>>>> = {
  anthropic: {
    'claude-fable-5-1': claude(10, 50, 0.25),
    'claude-mythos-5-1': claude(10, 50, 0.25),
    'claude-fable-5': claude(10, 50, 1),
    'claude-mythos-5': claude(10, 50, 1),
    'claude-opus-5-5': claude(4, 20, 0.2),
    'claude-opus-5': claude(5, 25, 0.5),
    'claude-opus-4-8': claude(5, 25, 0.5),
    'claude-opus-4-7': claude(5, 25, 0.5),
    'claude-opus-4-6': claude(5, 25, 0.5),
    'claude-opus-4-5': claude(5, 25, 0.5),
    'claude-opus-4-1': claude(15, 75, 1.5),
    'claude-sonnet-5-5': claude(2, 10, 0.1),
    'claude-sonnet-5': claude(2, 10, 0.2),
    'claude-sonnet-4-6': claude(3, 15, 0.3),
    'claude-sonnet-4-5': claude(3, 15, 0.3),
    'claude-haiku-5-5': {
      ...claude(0.1, 0.5, 0.01),
      long: { above: 100_000, price: claude(0.5, 2.5, 0.05) },
    },
    'claude-haiku-4-5': claude(1, 5, 0.1),
  },
  openai: {
    'gpt-6-astra': longGpt(10, 50, 1, GPT_WRITE),
    'gpt-6.1-sol': longGpt(2, 10, 0.1, GPT_WRITE),
    'gpt-6.1-terra': longGpt(1, 5, 0.05, GPT_WRITE),
    'gpt-6-sol': longGpt(2, 10, 0.2, GPT_WRITE),
    'gpt-6-luna': longGpt(0.1, 0.5, 0.01, GPT_WRITE),
    'gpt-5.6-sol': longGpt(5, 30, 0.5, GPT_WRITE),
    'gpt-5.6-terra': longGpt(2, 12, 0.2, GPT_WRITE),
    'gpt-5.6-luna': longGpt(0.2, 1.2, 0.02, GPT_WRITE),
    'gpt-5.5': longGpt(5, 30, 0.5),
    'gpt-5.4': longGpt(2.5, 15, 0.25),
    'gpt-5.4-mini': gpt(0.75, 4.5, 0.075),
    'gpt-5.4-nano': gpt(0.2, 1.25, 0.02),
    'gpt-5.2': gpt(1.75, 14, 0.175),
    'gpt-5.1': gpt(1.25, 10, 0.125),
    'gpt-5': gpt(1.25, 10, 0.125),
    'gpt-5-mini': gpt(0.25, 2, 0.025),
    'gpt-5-nano': gpt(0.05, 0.4, 0.005),
    'gpt-4.1': gpt(2, 8, 0.5),
    'gpt-4.1-mini': gpt(0.4, 1.6, 0.1),
    'gpt-4.1-nano': gpt(0.1, 0.4, 0.025),
    'gpt-4o': gpt(2.5, 10, 1.25),
    // A snapshot whose price never changed to that of its model name.
    'gpt-4o-2024-05-13': { input: 5, output: 15 },
    'gpt-4o-mini': gpt(0.15, 0.6, 0.075),
    o3: gpt(2, 8, 0.5),
    'o4-mini': gpt(1.1, 4.4, 0.275),
    'text-embedding-3-small': embedding(0.02),
    'text-embedding-3-large': embedding(0.13),
    'text-embedding-ada-002': embedding(0.1),
  },
  demo: { '*': { input: 0, output: 0 } },
};
