import { type ApiResponse, at, type TestUser } from './client.js';
import type { TestApi } from './api.js';
import { query, type Row, until } from './stored.js';

/** Returns the text of a file, or one page of it. */
export function getText(user: TestUser, fileId: string, page?: number): Promise<ApiResponse> {
  return user.request('GET', `/api/v1/files/${fileId}/text${page === undefined ? '' : `?page=${page}`}`);
}

/** Waits until the text of a file is no longer pending, and returns the response with it. */
export function untilExtracted(user: TestUser, fileId: string, patienceMs = 60_000): Promise<ApiResponse> {
  return until(
    `the text of ${fileId}`,
    async () => {
      const response = await getText(user, fileId);
      return response.status !== 409 && response;
    },
    patienceMs,
  );
}

/** Returns the text rows of an account with the number of their pages, in order of their formats. */
export function textRows({ database }: Pick<TestApi, 'database'>, userId: string): Promise<Row[]> {
  return query(
    database,
    `SELECT content_id, format, status::text, attempts, error, page_count, lease_id,
       due_at > now() + interval '15 seconds' AS leased,
       (SELECT count(*)::int FROM file_pages
        WHERE file_pages.content_id = file_texts.content_id AND file_pages.format = file_texts.format) AS pages
     FROM file_texts WHERE user_id = $1 ORDER BY format, content_id`,
    [userId],
  );
}

/** Returns the texts of the pages of a response. */
export function pageTexts({ body }: ApiResponse): unknown[] {
  const pages = at(body, 'pages');
  return Array.isArray(pages) ? pages.map((page: unknown) => at(page, 'text')) : [];
}

/**
 * Makes the texts of an account pending again and removes their pages: due, or leased by a process that never finishes.
 */
export async function makePending(
  { database }: Pick<TestApi, 'database'>,
  userId: string,
  state: 'due' | 'leased',
): Promise<void> {
  await query(database, 'DELETE FROM file_pages WHERE user_id = $1', [userId]);
  await query(
    database,
    `UPDATE file_texts SET status = 'pending', attempts = 0, error = NULL, page_count = NULL,
       due_at = CASE WHEN $2 = 'due' THEN now() ELSE now() + interval '30 seconds' END,
       lease_id = CASE WHEN $2 = 'due' THEN NULL ELSE gen_random_uuid() END
     WHERE user_id = $1`,
    [userId, state],
  );
}
