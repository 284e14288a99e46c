import type { BatchEndpoint } from './batch.js';

/** Kinds of work of the batches of our own API. */
export const BATCH_TASKS = ['chat', 'embed'] as const;

export type BatchTask = (typeof BATCH_TASKS)[number];

/** The route that answers the requests of each task. */
export const TASK_ENDPOINTS = {
  chat: '/v1/chat/completions',
  embed: '/v1/embeddings',
} as const satisfies Record<BatchTask, BatchEndpoint>;

/** Returns the task of a batch by the route of its requests. */
export function toBatchTask(endpoint: BatchEndpoint): BatchTask {
  return endpoint === TASK_ENDPOINTS.embed ? 'embed' : 'chat';
}
