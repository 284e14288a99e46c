import { expect, it } from '@jest/globals';
import { newId } from '../../../common/ids.js';
import { toBatchJob, toBatchRef } from './batch.jobs.js';

it('a job has the ids of its batch and nothing else', () => {
  const batch = { id: newId(), userId: newId() };
  expect(toBatchJob(batch)).toEqual({ user_id: batch.userId, batch_id: batch.id });
  expect(toBatchRef(toBatchJob(batch))).toEqual(batch);
});

it('a job that another version queued in another form is not of any batch', () => {
  expect(toBatchRef({ user_id: newId(), batch_id: 'all' })).toBeUndefined();
  expect(toBatchRef({ user_id: 'everyone', batch_id: newId() })).toBeUndefined();
});
