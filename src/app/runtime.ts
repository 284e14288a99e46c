import type { Logger } from 'pino';
import type { Clock } from '../common/clock.js';
import type { AppConfig } from '../config/index.js';

/** Resources that a process opens before its modules are created, and closes after them. */
export interface Runtime {
  readonly config: AppConfig;
  readonly logger: Logger;
  /** Connection string of the migrated database. */
  readonly connectionString: string;
  /** Defaults to the system clock. */
  readonly clock?: Clock;
}
