/** The originator of an action, for the audit log. */
export interface Actor {
  /** Null if nobody is logged in. */
  readonly userId: string | null;
  /** Address of the connection, or of the client behind a trusted proxy; null on the command line. */
  readonly address: string | null;
}
