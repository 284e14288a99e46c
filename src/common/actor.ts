/** Who does something, and from where; for the record. */
export interface Actor {
  /** Null where nobody is logged in. */
  readonly userId: string | null;
  /** The address of the connection, or of the client behind a trusted proxy; null on the command line. */
  readonly address: string | null;
}
