import type { RequestExamples } from '../../../http/index.js';

/** Examples of searches. */
export const SEARCH_REQUESTS = {
  query: { summary: 'In the collection `default`', value: { query: 'notice period' } },
  filter: {
    summary: 'With a filter, explained',
    value: { query: 'notice period', collection: 'default', top_k: 3, filter: { lang: 'en' }, explain: true },
  },
  rerank: {
    summary: 'Ordered by a model',
    value: { query: 'notice period', collection: 'default', top_k: 3, rerank: 'demo/echo', explain: true },
  },
} satisfies RequestExamples;

/** Examples of questions. */
export const QUERY_REQUESTS = {
  question: {
    summary: 'To the collection `default`',
    value: { question: 'How long is the notice period?' },
  },
  whole: {
    summary: 'To a collection, answered as JSON',
    value: { question: 'How long is the notice period?', collection: 'default', stream: false },
  },
} satisfies RequestExamples;
