// Real here: the server, PostgreSQL or Redis, and BullMQ.
import { expect, it } from '@jest/globals';
import { FORMER_TASKS_QUEUE } from '../../../../../src/features/chat/tasks/task.jobs.js';
import { startApi } from '../../../../support/api.js';
import { openQueue } from '../../../../support/conversation-tasks.js';
import { createMigratedDatabase } from '../../../../support/database.js';
import { until } from '../../../../support/stored.js';

it('a start removes the jobs that an earlier version queued under the former name', async () => {
  const database = await createMigratedDatabase();
  try {
    const former = openQueue(FORMER_TASKS_QUEUE, database);
    try {
      await former.add('chore', { conversation_id: 'gone', kind: 'title' });
      expect(await former.count()).toBe(1);
      const api = await startApi({}, database);
      try {
        await until('the jobs to be removed', async () => (await former.count()) === 0);
      } finally {
        await api.close();
      }
    } finally {
      await former.close();
    }
  } finally {
    await database.drop();
  }
});
