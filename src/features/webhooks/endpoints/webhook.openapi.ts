import type { RequestExamples } from '../../../http/index.js';
import { WEBHOOK_EVENT_TYPES } from '../model/webhook-event.js';

/** Requests that create a webhook. */
export const WEBHOOK_EXAMPLES: RequestExamples = {
  completed: {
    summary: 'Be notified of batches that have completed or failed',
    value: { url: 'https://hooks.example.com/parley', events: ['batch.completed', 'batch.failed'] },
  },
  all: {
    summary: 'Be notified of every end of a batch',
    value: { url: 'https://hooks.example.com/parley', events: [...WEBHOOK_EVENT_TYPES] },
  },
};
