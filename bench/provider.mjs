/*
 * A model provider that responds immediately: OpenAI's protocol over plain node:http, with as many bytes as possible
 * prepared in advance.
 *
 * Embeddings have 384 dimensions and are the same for all texts.
 *
 * `max_tokens` is the length of a streamed answer. The model `bench` streams as fast as it can, with a separate write
 * and a separate turn of the event loop for each event. `bench-<N>ms` sends a token every N ms, whose text contains
 * the time at which it was due: `@<milliseconds of the machine's monotonic clock>`.
 */
import { createServer } from 'node:http';
import { monotonicMs } from './clock.mjs';

const DEFAULT_TOKENS = 100;
const DIMENSIONS = 384;
const MODELS = ['bench', 'bench-100ms'];

const head = '"created":1760000000,"model":"bench","system_fingerprint":"fp_bench"';
const usage = '{"prompt_tokens":24,"completion_tokens":100,"total_tokens":124}';
const answer = Buffer.from(
  `{"id":"chatcmpl-bench","object":"chat.completion",${head},"choices":[{"index":0,"message":{"role":"assistant","content":"Air scatters blue light more than red."},"logprobs":null,"finish_reason":"stop"}],"usage":${usage}}`,
);
const models = Buffer.from(
  JSON.stringify({
    object: 'list',
    data: MODELS.map((id) => ({ id, object: 'model', created: 1760000000, owned_by: 'bench' })),
  }),
);

const chunk = (delta, finish = 'null') =>
  `data: {"id":"chatcmpl-bench","object":"chat.completion.chunk",${head},"choices":[{"index":0,"delta":${delta},"logprobs":null,"finish_reason":${finish}}]}\n\n`;
const firstToken = chunk('{"role":"assistant","content":" token"}');
const token = chunk('{"content":" token"}');
const finish = chunk('{}', '"stop"');
const usageChunk = `data: {"id":"chatcmpl-bench","object":"chat.completion.chunk",${head},"choices":[],"usage":${usage}}\n\n`;
const done = 'data: [DONE]\n\n';

/** Yields the events that follow the tokens of an answer. */
function* ending(call) {
  yield finish;
  if (call.stream_options?.include_usage) yield usageChunk;
  yield done;
}

/** Sends each event in the next turn of the event loop. */
function streamAtOnce(response, call, tokens) {
  const rest = ending(call);
  let sent = 0;
  const next = () => {
    if (response.destroyed) return;
    if (sent < tokens) {
      response.write(sent === 0 ? firstToken : token);
      sent += 1;
      setImmediate(next);
      return;
    }
    const event = rest.next();
    if (event.done) {
      response.end();
      return;
    }
    response.write(event.value);
    setImmediate(next);
  };
  next();
}

/** Sends a token every `paceMs`, on a schedule that a late token does not shift. */
function streamAtPace(response, call, tokens, paceMs) {
  const start = monotonicMs();
  let sent = 0;
  let timer;
  const dueAt = () => start + (sent + 1) * paceMs;
  const wait = () => {
    timer = setTimeout(next, Math.max(0, Math.ceil(dueAt() - monotonicMs())));
  };
  const next = () => {
    response.write(chunk(`{"content":"@${dueAt().toFixed(1)} "}`));
    sent += 1;
    if (sent < tokens) {
      wait();
      return;
    }
    for (const event of ending(call)) response.write(event);
    response.end();
  };
  response.once('close', () => clearTimeout(timer));
  // Clients that wait for the headers get them before the first token.
  response.flushHeaders();
  wait();
}

function respond(response, call) {
  if (!call.stream) {
    response.writeHead(200, { 'content-type': 'application/json', 'content-length': answer.length });
    response.end(answer);
    return;
  }
  const tokens = call.max_tokens ?? call.max_completion_tokens ?? DEFAULT_TOKENS;
  const [, paceMs] = /-(\d+)ms$/.exec(call.model) ?? [];
  response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-cache' });
  if (paceMs === undefined) streamAtOnce(response, call, tokens);
  else streamAtPace(response, call, tokens, Number(paceMs));
}

const values = Float32Array.from({ length: DIMENSIONS }, (_, index) => Math.sin(index + 1));
const vectors = { float: Array.from(values), base64: Buffer.from(values.buffer).toString('base64') };

function respondEmbeddings(response, { model, input, encoding_format: format = 'float' }) {
  const texts = Array.isArray(input) ? input : [input];
  response.writeHead(200, { 'content-type': 'application/json' });
  response.end(
    JSON.stringify({
      object: 'list',
      model,
      data: texts.map((_, index) => ({ object: 'embedding', index, embedding: vectors[format] })),
      usage: { prompt_tokens: texts.length, total_tokens: texts.length },
    }),
  );
}

const server = createServer((request, response) => {
  if (request.method === 'GET') {
    response.writeHead(200, { 'content-type': 'application/json', 'content-length': models.length });
    response.end(models);
    return;
  }
  const pieces = [];
  request.on('data', (piece) => pieces.push(piece));
  request.on('end', () => {
    const call = JSON.parse(pieces.length === 1 ? pieces[0] : Buffer.concat(pieces));
    if (request.url?.endsWith('/embeddings')) respondEmbeddings(response, call);
    else respond(response, call);
  });
});
// Keeps connections open during the pauses between two measurements.
server.keepAliveTimeout = 120_000;
server.listen(0, '127.0.0.1', 4096, () => {
  console.log(`listening http://127.0.0.1:${server.address().port}`);
});
