/** The account that asks for something, and the key that it asks with. */
export interface Caller {
  readonly userId: string;
  /** Null where it is logged in. */
  readonly apiKeyId: string | null;
}
