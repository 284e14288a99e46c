import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { PrismaPg } from '@prisma/adapter-pg';
import {
  bindMigrationAwareSqlAdapterFactory,
  ColumnTypeEnum,
  DriverAdapterError,
  isDriverAdapterError,
} from '@prisma/driver-adapter-utils';
import type {
  SqlDriverAdapter,
  SqlMigrationAwareDriverAdapterFactory,
  SqlQuery,
} from '@prisma/driver-adapter-utils';
import type { SchemaEngine } from '@prisma/schema-engine-wasm/schema_engine_bg';
import pg from 'pg';

/**
 * Appended to each migration's script, in the same transaction. The engine itself marks a migration as finished only
 * after its script is committed; a process killed in between would leave a migration applied but unmarked.
 */
const MARK_FINISHED = `DO $mark$ BEGIN
  IF to_regclass('_prisma_migrations') IS NOT NULL THEN
    UPDATE _prisma_migrations SET finished_at = now()
      WHERE finished_at IS NULL AND rolled_back_at IS NULL AND logs IS NULL;
  END IF;
END $mark$`;

/** Prisma's schema engine, connected to one database. */
export interface OpenSchemaEngine {
  engine: SchemaEngine;
  /** The first statement error since the engine was opened, as returned by PostgreSQL. */
  readonly failure: unknown;
  close(): Promise<void>;
}

/** Type id of PostgreSQL's internal one-byte type in its catalogs, which Prisma's adapter does not support. */
const CHARACTER_TYPE_ID = 18;

/** Converts an error to the form that the engine writes to the log of a failed migration. */
function asAdapterError({
  code = '',
  severity = '',
  message,
  detail,
  column,
  hint,
}: pg.DatabaseError): Error {
  return new DriverAdapterError({ kind: 'postgres', code, severity, message, detail, column, hint });
}

/**
 * Prisma's PostgreSQL adapter with two fixes that only the schema engine needs. Both are tested: a migration with a
 * function body, and a comparison with a database that has foreign keys.
 */
class EngineAdapterFactory implements SqlMigrationAwareDriverAdapterFactory {
  readonly provider = 'postgres';
  readonly adapterName = 'parley-schema-engine';
  private readonly pool: pg.Pool;
  failure: unknown;

  constructor(connectionString: string, reportWarning: (message: string) => void) {
    this.pool = new pg.Pool({ connectionString, max: 1, application_name: 'parley migrations' });
    this.pool.on('connect', (client) => {
      // Notices of lower severity are PostgreSQL's own, for example about existing tables.
      client.on('notice', ({ severity, message }) => {
        if (severity === 'WARNING' && message !== undefined) reportWarning(message);
      });
    });
  }

  async connect(): Promise<SqlDriverAdapter> {
    const adapter = await new PrismaPg(this.pool).connect();
    const query = adapter.queryRaw.bind(adapter);
    adapter.queryRaw = async (request) => {
      try {
        return await query(request);
      } catch (error) {
        if (!isDriverAdapterError(error) || error.cause.kind !== 'UnsupportedNativeDataType') throw error;
      }
      const { readable, isCharacter } = await this.withoutCharacterType(request);
      const result = await query(readable);
      // The engine requires the character type for these columns.
      const columnTypes = result.columnTypes.map((type, index) =>
        isCharacter[index] ? ColumnTypeEnum.Character : type,
      );
      return { ...result, columnTypes };
    };
    // The adapter splits a script at every semicolon, even inside function bodies, and sends the parts one by one.
    // Sent as one message, PostgreSQL parses the script itself and runs it in one transaction: all of it or nothing.
    adapter.executeScript = async (script) => {
      try {
        await this.pool.query(`${script}\n;${MARK_FINISHED}`);
      } catch (error) {
        this.failure ??= error;
        throw error instanceof pg.DatabaseError ? asAdapterError(error) : error;
      }
    };
    return adapter;
  }

  /** Never called: migrations are compared with the database itself. */
  connectToShadowDb(): Promise<SqlDriverAdapter> {
    return Promise.reject(new Error('There is no shadow database.'));
  }

  close(): Promise<void> {
    return this.pool.end();
  }

  /**
   * Rewrites a query so that columns of the type "char" are returned as text, and reports which columns those are.
   */
  private async withoutCharacterType(
    request: SqlQuery,
  ): Promise<{ readable: SqlQuery; isCharacter: boolean[] }> {
    const inner = request.sql.trim().replace(/;$/, '');
    const { fields } = await this.pool.query({
      text: `SELECT * FROM (${inner}\n) AS inner_query LIMIT 0`,
      values: request.args,
    });
    const isCharacter = fields.map(({ dataTypeID }) => dataTypeID === CHARACTER_TYPE_ID);
    const columns = fields.map(
      ({ name }, index) =>
        `column_${index}${isCharacter[index] ? '::text' : ''} AS ${pg.escapeIdentifier(name)}`,
    );
    const names = fields.map((_, index) => `column_${index}`);
    const sql = `SELECT ${columns.join(', ')} FROM (${inner}\n) AS inner_query(${names.join(', ')})`;
    return { readable: { ...request, sql }, isCharacter };
  }
}

// Node provides it, but TypeScript declares it only in the browser's type library.
declare const WebAssembly: {
  instantiate(
    binary: Uint8Array,
    imports: Record<string, Record<string, unknown>>,
  ): Promise<{ instance: { exports: Record<string, unknown> } }>;
};

/** Schedules the engine's timer without keeping the process alive. The engine leaves one of ten seconds behind. */
function setBackgroundTimeout(callback: () => void, delayMs: number): NodeJS.Timeout {
  return setTimeout(callback, delayMs).unref();
}

let loading: Promise<typeof SchemaEngine> | undefined;

/**
 * Loads the engine (5 MB, 50 ms) manually: importing a .wasm file makes Node print a warning about an experimental
 * feature.
 */
async function loadEngine(): Promise<typeof SchemaEngine> {
  const bindings = await import('@prisma/schema-engine-wasm/schema_engine_bg');
  const directory = dirname(createRequire(import.meta.url).resolve('@prisma/schema-engine-wasm'));
  const binary = await readFile(join(directory, 'schema_engine_bg.wasm'));
  const { instance } = await WebAssembly.instantiate(new Uint8Array(binary), {
    './schema_engine_bg.js': Object.fromEntries(
      Object.entries(bindings).map(([name, binding]): [string, unknown] => [
        name,
        name.startsWith('__wbg_setTimeout_') ? setBackgroundTimeout : binding,
      ]),
    ),
  });
  bindings.__wbg_set_wasm(instance.exports);
  // The engine reports a panic here only, never through a promise. Prisma's client has a registry of its own.
  if (!Reflect.has(globalThis, 'PRISMA_WASM_PANIC_REGISTRY')) {
    Reflect.set(globalThis, 'PRISMA_WASM_PANIC_REGISTRY', {
      set_message(message: string): never {
        throw new Error(`Prisma's schema engine crashed: ${message}`);
      },
    });
  }
  const { __wbindgen_start: start } = instance.exports;
  if (typeof start !== 'function') throw new Error('@prisma/schema-engine-wasm has no start function.');
  Reflect.apply(start, undefined, []);
  return bindings.SchemaEngine;
}

/**
 * Opens Prisma's schema engine on a database, with a single connection.
 *
 * @param options.schema the Prisma schema to work with
 * @param options.reportWarning called with each warning that a migration raises
 */
export async function openSchemaEngine(options: {
  connectionString: string;
  reportWarning?: (message: string) => void;
  schema?: { path: string; content: string };
}): Promise<OpenSchemaEngine> {
  loading ??= loadEngine();
  const engineClass = await loading;
  const factory = new EngineAdapterFactory(
    options.connectionString,
    options.reportWarning ?? (() => undefined),
  );
  const { path, content } = options.schema ?? {
    path: 'schema.prisma',
    content: 'datasource db {\n  provider = "postgresql"\n}\n',
  };
  try {
    const engine = await engineClass.new(
      { datamodels: [[path, content]] },
      () => undefined,
      bindMigrationAwareSqlAdapterFactory(factory),
    );
    return {
      engine,
      get failure() {
        return factory.failure;
      },
      async close() {
        engine.free();
        await factory.close();
      },
    };
  } catch (error) {
    await factory.close();
    throw error;
  }
}
