/** An account, and the API key that acts for it. */
export interface AccountAccess {
  readonly userId: string;
  /** Null for a logged-in session. */
  readonly apiKeyId: string | null;
}

/** An account, and the session or the API key that acts for it. */
export interface AccountCredential extends AccountAccess {
  /** Null for an API key. */
  readonly sessionId: string | null;
}

/** The authenticated account that makes a request. */
export interface Caller extends AccountAccess {
  /** Generation of the account's cached answers. Incremented to invalidate them all. */
  readonly cacheGeneration: number;
  /** The scopes of the API key; `all` for a logged-in session. */
  readonly scopes: 'all' | ReadonlySet<string>;
}

/** Returns true if a caller has a scope. */
export function hasScope({ scopes }: Pick<Caller, 'scopes'>, scope: string): boolean {
  return scopes === 'all' || scopes.has(scope);
}

/** Permission to answer a call from the cache, and to cache its answer. */
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
