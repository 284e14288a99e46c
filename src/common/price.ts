/**
 * What a model's tokens cost, in US dollars per million tokens, which is the same as micro-dollars per token.
 * Where a price for cached tokens is left out they cost as much as other input.
 */
export interface ModelPrice {
  readonly input: number;
  readonly output: number;
  /** Of input that was read from the provider's prompt cache. */
  readonly cacheRead?: number;
  /** Of input that was written to the provider's prompt cache. */
  readonly cacheWrite?: number;
  /** What holds instead for a whole request whose input is longer than this. */
  readonly long?: { readonly above: number; readonly price: ModelPrice };
}
