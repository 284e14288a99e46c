/**
 * Price of a model's tokens in US dollars per million tokens, which equals micro-dollars per token. Cached tokens
 * cost as much as other input unless they have their own price.
 */
export interface ModelPrice {
  readonly input: number;
  readonly output: number;
  /** Price of input read from the provider's prompt cache. */
  readonly cacheRead?: number;
  /** Price of input written to the provider's prompt cache. */
  readonly cacheWrite?: number;
  /** Price of a whole request whose input has more tokens than `above`. */
  readonly long?: { readonly above: number; readonly price: ModelPrice };
}
