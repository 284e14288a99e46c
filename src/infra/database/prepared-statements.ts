import { createHash } from 'node:crypto';
import { Logger } from '@nestjs/common';

/**
 * Maximum number of statements that are prepared. Each connection keeps the plans of all of them, which the server holds
 * in the memory of the session.
 */
const MAX_STATEMENTS = 48;

/** Length of a name after its prefix: enough of the hash that two texts never have the same one. */
const NAME_LENGTH = 24;

/** Errors behind a pooler that knows no names: the connection lacks the statement (26000), or has it already (42P05). */
const LOST_NAMES: ReadonlySet<string> = new Set(['26000', '42P05']);

/** Error of a statement that a connection prepared before a migration changed the columns of its result. */
const CHANGED_RESULT = '0A000';

/**
 * The statements of a process that PostgreSQL prepares once for each connection: they are neither parsed nor planned again.
 * Behind a pooler that gives a client another connection for each transaction and knows no names, such as PgBouncer
 * before 1.21, a statement fails because of its name; from then on, none is prepared.
 */
export class PreparedStatements {
  private readonly names = new Map<string, string>();
  private readonly logger = new Logger(PreparedStatements.name);
  private isSupported = true;

  /**
   * Runs a statement without effects, prepared if possible.
   * @param text text of the statement. Every different one is counted.
   * @param send sends the statement under a name, or without one; called again if the name was the reason of a failure
   */
  async run<Result>(text: string, send: (name: string | undefined) => Promise<Result>): Promise<Result> {
    const name = this.nameOf(text);
    if (name === undefined) return send(undefined);
    try {
      return await send(name);
    } catch (error) {
      const code = error instanceof Error && 'code' in error ? String(error.code) : '';
      if (LOST_NAMES.has(code)) this.turnOff();
      else if (code !== CHANGED_RESULT) throw error;
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

  private turnOff(): void {
    if (this.isSupported)
      this.logger.log(
        'connections of the pool lose prepared statements; statements run without names from now on',
      );
    this.isSupported = false;
  }
}
