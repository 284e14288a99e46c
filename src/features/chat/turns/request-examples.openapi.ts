import type { RequestExamples } from '../../../http/index.js';

/** Examples of requests that send a message. */
export const MESSAGE_REQUESTS = {
  message: { summary: 'A message in a new conversation', value: { message: 'Why is the sky blue?' } },
  documents: {
    summary: 'A question about the documents of a collection',
    value: { message: 'How long is the notice period?', collection: 'default' },
  },
} satisfies RequestExamples;

/** Examples of requests for another answer. */
export const REGENERATION_REQUESTS = {
  same: { summary: 'With the model and the parameters of the present answer', value: {} },
  other: { summary: 'With other parameters', value: { temperature: 0.2, max_tokens: 500 } },
} satisfies RequestExamples;

/** Examples of edited messages. */
export const EDIT_REQUESTS = {
  message: { summary: 'Another message', value: { message: 'Why is the sea blue?' } },
} satisfies RequestExamples;

/** Examples of results of tools. */
export const TOOL_RESULT_REQUESTS = {
  result: {
    summary: 'The result of one call',
    value: { tool_results: [{ tool_call_id: 'call_1', content: '18 °C' }] },
  },
} satisfies RequestExamples;
