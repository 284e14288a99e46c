import type { Logger } from 'pino';
import type { AppConfig } from './config/index.js';

/** What a process has opened before its modules are made, and closes after them. */
export interface Runtime {
  readonly config: AppConfig;
  readonly logger: Logger;
  /** The migrated database. */
  readonly connectionString: string;
}
