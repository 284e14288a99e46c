/** An account, and the key that acts for it. */
export interface AccountAccess {
  readonly userId: string;
  /** Null where it is logged in. */
  readonly apiKeyId: string | null;
}

/** The account that makes a request, as authentication has found it. */
export interface Caller extends AccountAccess {
  /** Generation of the account's cached answers. Raised to forget them all. */
  readonly cacheGeneration: number;
}

/** Leave to answer a call out of the cache, and to cache its answer. */
export interface AnswerCaching {
  /** Generation of the account's cached answers when the request was authenticated. */
  readonly generation: number;
}

/** Returns how to cache the answer for a caller; undefined unless the request asks for it. */
export function answerCaching(
  { cacheGeneration: generation }: Caller,
  wanted: boolean | null | undefined,
): AnswerCaching | undefined {
  return wanted === true ? { generation } : undefined;
}
