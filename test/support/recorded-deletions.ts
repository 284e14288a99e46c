import { OWNED_TABLES, STORED_FILE_TABLES } from '../../src/features/users/account-deletion.repository.js';
import type { TestDatabase } from './database.js';
import { query } from './stored.js';

/**
 * Records in the table `deletions` how many rows each statement from now on deletes, directly or by cascade, and how
 * many usage records it changes.
 */
export async function recordDeletions(database: Pick<TestDatabase, 'url'>): Promise<void> {
  await query(database, 'CREATE TABLE deletions (name text, deleted bigint)');
  await query(
    database,
    `CREATE FUNCTION record_deletion() RETURNS trigger LANGUAGE plpgsql AS $$
     BEGIN
       INSERT INTO public.deletions SELECT TG_TABLE_NAME, count(*) FROM gone HAVING count(*) > 0;
       RETURN NULL;
     END $$`,
  );
  for (const table of [...OWNED_TABLES, ...STORED_FILE_TABLES, 'batch_items', 'messages', 'message_words'])
    await query(
      database,
      `CREATE TRIGGER record_deletions AFTER DELETE ON ${table}
       REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION record_deletion()`,
    );
  await query(
    database,
    `CREATE TRIGGER record_changes AFTER UPDATE ON usage_records
     REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION record_deletion()`,
  );
}
