// Real components: the API on a socket, PostgreSQL, the file directory, and an Ollama host that reports the
// capabilities of its models.
import { describe, expect, it } from '@jest/globals';
import { at } from '../../../support/client.js';
import { PNG, uploadedId } from '../../../support/files.js';
import { setUpApi, setUpProvider, setUpUser } from '../../../support/set-up.js';

const provider = setUpProvider();
const api = setUpApi(() => ({ OLLAMA_BASE_URL: provider.origin, LLM_MAX_RETRIES: '0' }), 'test');
const user = setUpUser(api, 'test');

/** Number of capability requests that reached the provider. */
const asked = (): number => provider.requests.filter(({ path }) => path === '/api/show').length;

async function askWithImage(more: object = {}, model = 'ollama/llama3.2-vision'): Promise<unknown> {
  const image = await uploadedId(api.url, user, { name: 'dot.png', type: 'image/png', bytes: PNG });
  const answer = await user.request('POST', '/api/v1/chat', {
    message: 'Hi',
    model,
    file_ids: [image],
    ...more,
  });
  expect(answer.status).toBe(200);
  return at(answer.body, 'conversation_id');
}

describe('the capabilities of an Ollama model', () => {
  it('are requested once in a turn with an image, and not again in the next one', async () => {
    const conversation_id = await askWithImage();
    expect(asked()).toBe(1);
    await askWithImage({ conversation_id });
    await askWithImage();
    expect(asked()).toBe(1);
  });

  it('are requested once for concurrent turns', async () => {
    await Promise.all(Array.from({ length: 4 }, () => askWithImage()));
    expect(asked()).toBe(1);
  });

  it('are requested for each model', async () => {
    await askWithImage();
    await askWithImage({}, 'ollama/other-vision');
    expect(asked()).toBe(2);
  });

  it('are requested once in a turn even if the request fails', async () => {
    provider.scriptFor('models', { kind: 'error', status: 500 });
    await askWithImage({}, 'ollama/llama3.2');
    expect(asked()).toBe(1);
  });
});
