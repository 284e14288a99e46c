import type { Logger } from 'pino';
import type { Clock } from '../common/clock.js';
import type { AppConfig } from '../config/index.js';

/** What a process has opened before its modules are made, and closes after them. */
export interface Runtime {
  readonly config: AppConfig;
  readonly logger: Logger;
  /** The migrated database. */
  readonly connectionString: string;
  /** Without it the real one. */
  readonly clock?: Clock;
}
