import { createHash } from 'node:crypto';

/**
 * Maximum number of statements that are prepared. Each connection keeps the plans of all of them, which the server holds
 * in the memory of the session.
 */
const MAX_STATEMENTS = 48;

/** Length of a name after its prefix: enough of the hash that two texts never have the same one. */
const NAME_LENGTH = 24;

/**
 * Errors that a prepared statement can have and the same statement without a name cannot: the connection does not know it
 * (26000), knows it already (42P05), or its result has other columns since a migration (0A000). All are reported before
 * the statement begins.
 */
const NAME_ERRORS = new Set(['26000', '42P05', '0A000']);

/**
 * The statements of a process that PostgreSQL prepares once for each connection: they are neither parsed nor planned again.
 * Behind a pooler that gives a client another connection for each transaction and knows no names, such as PgBouncer
 * before 1.21, a statement fails because of its name; from then on, none is prepared.
 */
export class PreparedStatements {
  private readonly names = new Map<string, string>();
  private isSupported = true;

  /**
   * Runs a statement, prepared if possible.
   * @param text text of the statement. Every different one is counted.
   * @param send sends the statement under a name, or without one; called again if the name was the reason of a failure
   */
  async run<Result>(text: string, send: (name: string | undefined) => Promise<Result>): Promise<Result> {
    const name = this.nameOf(text);
    if (name === undefined) return send(undefined);
    try {
      return await send(name);
    } catch (error) {
      if (!isNameError(error)) throw error;
      this.isSupported = false;
      return send(undefined);
    }
  }

  /**
   * Returns the name of a statement, which depends on nothing but its text: of the processes behind one pooler, whatever
   * their release, none runs another statement under it.
   */
  private nameOf(text: string): string | undefined {
    if (!this.isSupported) return undefined;
    const known = this.names.get(text);
    if (known !== undefined || this.names.size >= MAX_STATEMENTS) return known;
    const name = `parley_${createHash('sha256').update(text).digest('hex').slice(0, NAME_LENGTH)}`;
    this.names.set(text, name);
    return name;
  }
}

function isNameError(error: unknown): boolean {
  return error instanceof Error && 'code' in error && NAME_ERRORS.has(String(error.code));
}
