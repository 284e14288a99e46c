import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseEnv } from 'node:util';
import { VERSION } from './package-root.js';
import { ConfigError, parseSettings } from './parse-settings.js';
import { developmentSecret } from './secrets.js';
import type { SettingValues } from './settings.js';

/** What the process was told to be. Parsed once, before anything else, and injected by this class. */
export class AppConfig {
  readonly version = VERSION;
  readonly production: boolean;
  /** Absolute path. */
  readonly dataDir: string;
  readonly http: { readonly host: string; readonly port: number };
  readonly database: { readonly url: string | undefined; readonly poolMax: number };
  readonly redisUrl: string | undefined;
  readonly worker: 'inline' | 'separate';
  readonly auth: { readonly jwtSecret: string; readonly registration: 'open' | 'closed' };
  readonly llm: LlmConfig;
  readonly context: { readonly maxTokens: number; readonly maxMessages: number };
  readonly logLevel: SettingValues['LOG_LEVEL'];

  constructor(values: SettingValues) {
    this.production = values.NODE_ENV === 'production';
    this.dataDir = resolve(values.DATA_DIR);
    this.http = { host: values.HOST, port: values.PORT };
    this.database = { url: values.DATABASE_URL, poolMax: values.DATABASE_POOL_MAX };
    this.redisUrl = values.REDIS_URL;
    this.worker = values.WORKER;
    this.auth = {
      jwtSecret: values.JWT_SECRET ?? generatedSecret(this.dataDir, 'jwt'),
      registration: values.AUTH_REGISTRATION ?? (this.production ? 'closed' : 'open'),
    };
    this.llm = {
      openai: { apiKey: values.OPENAI_API_KEY, baseUrl: values.OPENAI_BASE_URL },
      defaultModel: values.DEFAULT_MODEL,
      demoTokensPerSecond: values.DEMO_TOKENS_PER_SECOND,
      deadlines: {
        connectMs: values.LLM_CONNECT_TIMEOUT_MS,
        firstTokenMs: values.LLM_FIRST_TOKEN_TIMEOUT_MS,
        idleMs: values.LLM_IDLE_TIMEOUT_MS,
        totalMs: values.LLM_TOTAL_TIMEOUT_MS,
      },
    };
    this.context = { maxTokens: values.CONTEXT_MAX_TOKENS, maxMessages: values.CONTEXT_MAX_MESSAGES };
    this.logLevel = values.LOG_LEVEL;
  }
}

/** @throws ConfigError where `DATA_DIR` cannot hold it */
function generatedSecret(dataDir: string, name: string): string {
  try {
    return developmentSecret(dataDir, name);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new ConfigError(
      `DATA_DIR must be a folder that this process can write to; it is "${dataDir}" (${reason}).`,
    );
  }
}

export interface LlmConfig {
  readonly openai: { readonly apiKey: string | undefined; readonly baseUrl: string | undefined };
  readonly defaultModel: string | undefined;
  readonly demoTokensPerSecond: number;
  readonly deadlines: DeadlineConfig;
}

/** All in milliseconds. */
export interface DeadlineConfig {
  readonly connectMs: number;
  readonly firstTokenMs: number;
  readonly idleMs: number;
  readonly totalMs: number;
}

/**
 * The configuration of this process: its environment, and in development below it the `.env` file of the working folder.
 * @throws ConfigError where a value cannot be used.
 */
export function loadConfig(): AppConfig {
  const file = join(process.cwd(), '.env');
  const fromFile =
    process.env['NODE_ENV'] !== 'production' && existsSync(file) ? parseEnv(readFileSync(file, 'utf8')) : {};
  return new AppConfig(parseSettings({ ...fromFile, ...process.env }));
}
