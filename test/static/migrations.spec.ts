// Reads the migrations as files.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { MIGRATIONS_DIRECTORY } from '../../src/config/index.js';
import { isBreaking, listMigrations } from '../../src/infra/database/migration-history.js';

/** Migrations up to this one were written when every unknown migration was refused. */
const LAST_UNMARKED = '20261128054000_turn_functions';

/** Statements that take away what an earlier version uses, or demand what it does not write. */
const BREAKING_STATEMENTS: readonly RegExp[] = [
  /\bDROP\s+(?:TABLE|COLUMN|TYPE|FUNCTION|TRIGGER|VIEW|SCHEMA)\b/i,
  /\bRENAME\s+(?:TO|COLUMN|VALUE|CONSTRAINT)\b/i,
  /\bALTER\s+(?:COLUMN\s+)?"?\w+"?\s+(?:SET\s+DATA\s+)?TYPE\b/i,
  /\bALTER\s+(?:COLUMN\s+)?"?\w+"?\s+(?:SET\s+NOT\s+NULL|DROP\s+DEFAULT)\b/i,
  /\bADD\s+COLUMN\b(?=[^,;]*\bNOT\s+NULL\b)(?![^,;]*\bDEFAULT\b)/i,
  /\bCREATE\s+OR\s+REPLACE\s+FUNCTION\b/i,
];

/** Returns the first statement that needs the mark, without comments; undefined if there is none. */
function findBreakingStatement(sql: string): string | undefined {
  const code = sql.replaceAll(/--.*$/gm, '');
  return BREAKING_STATEMENTS.map((pattern) => pattern.exec(code)?.[0]).find((found) => found !== undefined);
}

describe('a migration', () => {
  it('that takes away what an earlier version uses has a name that ends with _breaking', async () => {
    const names = await listMigrations(MIGRATIONS_DIRECTORY);
    expect(names).toContain(LAST_UNMARKED);
    const unmarked = names
      .filter((name) => name > LAST_UNMARKED && !isBreaking(name))
      .map((name) => ({
        name,
        statement: findBreakingStatement(
          readFileSync(join(MIGRATIONS_DIRECTORY, name, 'migration.sql'), 'utf8'),
        ),
      }));
    expect(unmarked.filter(({ statement }) => statement !== undefined)).toEqual([]);
  });

  it.each([
    'DROP TABLE "users";',
    'ALTER TABLE "users" DROP COLUMN "role";',
    'ALTER TABLE "users" RENAME COLUMN "role" TO "kind";',
    'ALTER TABLE "users" ALTER COLUMN "role" SET DATA TYPE text;',
    'ALTER TABLE "users" ALTER COLUMN "role" SET NOT NULL;',
    'ALTER TABLE "users" ALTER "role" SET NOT NULL;',
    'ALTER TABLE "users" ALTER COLUMN "role" DROP DEFAULT;',
    'ALTER TABLE "users" ADD COLUMN "age" int NOT NULL;',
    'CREATE OR REPLACE FUNCTION begin_turn() RETURNS void LANGUAGE sql AS $$ $$;',
  ])('needs the mark for %s', (sql) => {
    expect(findBreakingStatement(sql)).toBeDefined();
  });

  it.each([
    'ALTER TABLE "users" ADD COLUMN "age" int;',
    'ALTER TABLE "users" ADD COLUMN "age" int NOT NULL DEFAULT 0;',
    'CREATE TABLE "pets" ("name" text NOT NULL);',
    'CREATE INDEX "pets_name_idx" ON "pets" ("name");',
    '-- DROP TABLE "users";',
  ])('does not need the mark for %s', (sql) => {
    expect(findBreakingStatement(sql)).toBeUndefined();
  });
});
