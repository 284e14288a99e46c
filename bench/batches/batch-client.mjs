const QUESTION = 'Why is the sky blue? Answer in one sentence, please.';
const JSON_TYPE = { 'content-type': 'application/json' };

/** Body of the request that is measured, in a batch and by itself. */
export const REQUEST = { model: 'openai/bench', messages: [{ role: 'user', content: QUESTION }] };

/** Returns a file of requests in OpenAI's format. */
const inputFile = (lines) =>
  new Blob(
    Array.from(
      { length: lines },
      (_, index) =>
        `${JSON.stringify({ custom_id: `line-${index}`, method: 'POST', url: '/v1/chat/completions', body: REQUEST })}\n`,
    ),
    { type: 'application/jsonl' },
  );

/** An account of a deployment, and its batches. */
export class BatchClient {
  #deployment;
  #headers;

  /** @param {import('./deployment.mjs').Deployment} deployment */
  constructor(deployment, token) {
    this.#deployment = deployment;
    this.#headers = { authorization: `Bearer ${token}` };
  }

  /** The same question as a call, answered in full. @returns {import('../load.mjs').Call} */
  get call() {
    return this.#call(REQUEST);
  }

  /** The same as a stream. @returns {import('../load.mjs').Call} */
  stream(tokens) {
    return this.#call({ ...REQUEST, stream: true, max_tokens: tokens });
  }

  /** Sends requests in the body of a submission, and returns the id of the batch. */
  async submit(requests) {
    const body = { ...REQUEST, messages: undefined, texts: Array.from({ length: requests }, () => QUESTION) };
    return (await this.#send('POST', '/api/v1/batch', body)).job_id;
  }

  /** Uploads a file of requests, creates a batch of it in OpenAI's format, and returns the id of its row. */
  async createFromFile(lines) {
    const form = new FormData();
    form.append('purpose', 'batch');
    form.append('file', inputFile(lines), 'requests.jsonl');
    const { id: input } = await this.#read(await this.#fetch('POST', '/v1/files', { body: form }));
    const { id } = await this.#send('POST', '/v1/batches', {
      input_file_id: input,
      endpoint: '/v1/chat/completions',
      completion_window: '24h',
    });
    return id.replace(/^batch_(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
  }

  cancel(id) {
    return this.#send('POST', `/api/v1/batch/${id}/cancel`);
  }

  /** Reads a response to its end without storing it, and returns its size in bytes. */
  async drain(path) {
    const response = await this.#fetch('GET', path);
    if (!response.ok) throw new Error(`${path} answered ${response.status}: ${await response.text()}`);
    let bytes = 0;
    for await (const piece of response.body) bytes += piece.length;
    return bytes;
  }

  get(path) {
    return this.#send('GET', path);
  }

  #call(body) {
    return {
      path: '/v1/chat/completions',
      headers: { ...JSON_TYPE, ...this.#headers },
      body: JSON.stringify(body),
    };
  }

  async #send(method, path, body) {
    return this.#read(
      await this.#fetch(method, path, body && { headers: JSON_TYPE, body: JSON.stringify(body) }),
    );
  }

  #fetch(method, path, { headers = {}, body } = {}) {
    return fetch(this.#deployment.server.url + path, {
      method,
      headers: { ...this.#headers, ...headers },
      body,
    });
  }

  async #read(response) {
    const body = await response.json();
    if (!response.ok) throw new Error(`The server answered ${response.status}: ${JSON.stringify(body)}`);
    return body;
  }
}

/**
 * Waits for the end of a batch.
 * @param {import('./deployment.mjs').Database} database
 */
export async function untilEnded(database, id) {
  const { status, completed } = await database.until(
    `SELECT status::text, completed_count AS completed, ended_at IS NOT NULL AS reached FROM batches WHERE id = $1`,
    [id],
  );
  if (status !== 'completed') throw new Error(`The batch is ${status}.`);
  return completed;
}

/** Returns the times from the submission of a batch to its first result and to its last one, in milliseconds. */
export async function readTimes(database, id) {
  const [times] = await database.query(
    `SELECT 1000 * extract(epoch FROM min(item.ended_at) - batches.created_at)::float8 AS first,
       1000 * extract(epoch FROM max(item.ended_at) - batches.created_at)::float8 AS last
     FROM batches JOIN batch_items item ON item.batch_id = batches.id WHERE batches.id = $1 GROUP BY batches.id`,
    [id],
  );
  return times;
}
