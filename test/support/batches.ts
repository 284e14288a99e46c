import { at, type TestUser } from './client.js';
import { formOf } from './files.js';

/** Returns the line of a file of requests in OpenAI's format. */
export function batchLine(customId: string, more: Readonly<Record<string, unknown>> = {}): string {
  const body = { messages: [{ role: 'user', content: customId }] };
  return JSON.stringify({ custom_id: customId, method: 'POST', url: '/v1/chat/completions', body, ...more });
}

/** Uploads a file of requests and returns its id. */
export async function uploadBatchInput(
  url: string,
  { token }: TestUser,
  content: string | Uint8Array<ArrayBuffer>,
): Promise<string> {
  const form = formOf({ name: 'requests.jsonl', type: 'application/jsonl', bytes: content });
  form.append('purpose', 'batch');
  const response = await fetch(`${url}/v1/files`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}` },
    body: form,
  });
  const body: unknown = await response.json();
  if (response.status !== 200) throw new Error(`The upload answered ${JSON.stringify(body)}`);
  return String(at(body, 'id'));
}

/** Creates a batch in OpenAI's format and returns its id. */
export async function createOpenAiBatch(
  url: string,
  user: TestUser,
  content: string | Uint8Array<ArrayBuffer> = batchLine('a'),
): Promise<string> {
  const { status, body } = await user.request('POST', '/v1/batches', {
    input_file_id: await uploadBatchInput(url, user, content),
    endpoint: '/v1/chat/completions',
    completion_window: '24h',
  });
  if (status !== 200) throw new Error(`The batch answered ${status}: ${JSON.stringify(body)}`);
  return String(at(body, 'id'));
}
