import { NEW_BATCH_DOC } from './new-batch.dto.js';
import type { RequestExamples } from '../../../http/index.js';

/** Examples of submissions, one for each form of the input. */
const SUBMISSIONS = {
  texts: {
    summary: 'Texts with shared instructions',
    value: {
      texts: ['The food was wonderful.', 'We waited for an hour.'],
      system_prompt: 'Is this review positive or negative? Answer with one word.',
      max_tokens: 10,
    },
  },
  requests: {
    summary: 'Requests with ids of your own',
    value: {
      requests: [
        { custom_id: 'sky', messages: [{ role: 'user', content: 'Why is the sky blue?' }] },
        { custom_id: 'sea', text: 'Why is the sea blue?', max_tokens: 100 },
      ],
      temperature: 0.2,
      max_concurrency: 4,
      metadata: { run: 'nightly' },
    },
  },
  file: {
    summary: 'A file with one request per line',
    value: { input_file_id: '0199a3f0-5b7e-7cc3-9d3a-2f6f1c0e9a11' },
  },
  embed: {
    summary: 'Embeddings of texts',
    value: { task: 'embed', model: 'openai/text-embedding-3-small', texts: ['Blue sky', 'Blue sea'] },
  },
} satisfies RequestExamples;

/** Documents the body of a submission. */
export const SUBMISSION_BODY = { schema: NEW_BATCH_DOC, examples: SUBMISSIONS };

/** Example of the events of a batch. */
export const EVENTS_EXAMPLE = `id: Yc4zvU0bRkq1
data: {"job_id":"0199…","status":"running","total":2,"counts":{"total":2,"waiting":0,"running":1,"completed":1,…},…}

id: q7Zt0mXw2LsA
data: {"job_id":"0199…","status":"completed","total":2,"counts":{"total":2,"waiting":0,"running":0,"completed":2,…},…}

data: [DONE]
`;

/** Example of the results as lines. */
export const LINES_EXAMPLE = `{"custom_id":"request-1","line":1,"status":"completed","text":"positive","embedding":null,"response":{"status_code":200,"request_id":"0199…","body":{…}},"error":null,"usage":{…}}
{"custom_id":"request-2","line":2,"status":"failed","text":null,"embedding":null,"response":{"status_code":404,"request_id":"0199…","body":{…}},"error":{"code":"model_not_found","message":"…"},"usage":{…}}
`;
