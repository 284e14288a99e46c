import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { json } from 'node:stream/consumers';
import { at, listAt } from './client.js';

/** A host's refusal: the body of its error, with status 400 by default. */
export interface Refusal {
  readonly status?: number;
  readonly body: unknown;
}

/** An answer of a host. */
export interface StrictAnswer {
  readonly text?: string;
  /** Fields of the message, and of each delta, besides the text: `reasoning_content`, `tool_calls`. */
  readonly fields?: Readonly<Record<string, unknown>> & { readonly tool_calls?: readonly object[] };
}

/** A model host on a real socket that refuses requests by a rule, in any API format. */
export class StrictHost {
  /** Bodies of all requests for an answer or for embeddings, in order. */
  readonly bodies: unknown[] = [];
  /** Returns the refusal of a request, or undefined. */
  rule: (body: unknown) => Refusal | undefined = () => undefined;
  /** Answers to the next accepted requests; `Hello` after them. */
  readonly answers: StrictAnswer[] = [];
  private readonly server: Server = createServer((request, response) => {
    this.serve(request, response).catch((error: unknown) =>
      response.destroy(error instanceof Error ? error : undefined),
    );
  });

  get origin(): string {
    const address = this.server.address();
    if (address === null || typeof address === 'string') throw new Error('The host does not listen.');
    return `http://127.0.0.1:${address.port}`;
  }

  async listen(): Promise<void> {
    this.server.listen(0, '127.0.0.1');
    await once(this.server, 'listening');
  }

  /** Clears the rule, answers and requests. */
  reset(): void {
    this.bodies.length = 0;
    this.answers.length = 0;
    this.rule = () => undefined;
  }

  async close(): Promise<void> {
    this.server.close();
    this.server.closeAllConnections();
    await once(this.server, 'close');
  }

  private async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = (request.url ?? '').replace(/\?.*$/, '');
    if (request.method === 'GET') {
      sendJson(response, { status: 200, body: { object: 'list', data: [] } });
      return;
    }
    const body: unknown = await json(request);
    this.bodies.push(body);
    const refusal = this.rule(body);
    if (refusal) sendJson(response, { status: 400, ...refusal });
    else if (path.endsWith('/embeddings')) sendJson(response, { status: 200, body: embeddings(body) });
    else this.sendAnswer(response, path, at(body, 'stream') === true);
  }

  private sendAnswer(response: ServerResponse, path: string, stream: boolean): void {
    const answer = this.answers.shift() ?? { text: 'Hello' };
    if (path === '/api/chat') sendLines(response, ollamaLines(answer));
    else if (path.endsWith('/messages')) sendEvents(response, anthropicFrames(answer));
    else if (stream) sendEvents(response, openaiFrames(answer));
    else sendJson(response, { status: 200, body: openaiCompletion(answer) });
  }
}

/** Returns the messages of a request body. */
export function messagesIn(body: unknown): unknown[] {
  return listAt(body, 'messages');
}

/** Returns a refusal in OpenAI's format. */
export function openaiRefusal(
  message: string,
  param: string | null = null,
  code: string | null = null,
): Refusal {
  return { body: { error: { message, type: 'invalid_request_error', param, code } } };
}

/** Returns a refusal in Anthropic's format. */
export function anthropicRefusal(message: string): Refusal {
  return { body: { type: 'error', error: { type: 'invalid_request_error', message } } };
}

function openaiCompletion({ text, fields = {} }: StrictAnswer): object {
  const message = { role: 'assistant', content: text ?? null, ...fields };
  const finish_reason = 'tool_calls' in fields ? 'tool_calls' : 'stop';
  const usage = { prompt_tokens: 7, completion_tokens: 2, total_tokens: 9 };
  return {
    id: 'c',
    object: 'chat.completion',
    created: 1,
    model: 'm',
    choices: [{ index: 0, message, finish_reason }],
    usage,
  };
}

function openaiFrames({ text, fields = {} }: StrictAnswer): [string | undefined, unknown][] {
  const head = { id: 'c', object: 'chat.completion.chunk', created: 1, model: 'm' };
  const chunk = (delta: object, finish_reason: string | null = null): [undefined, object] => [
    undefined,
    { ...head, choices: [{ index: 0, delta, finish_reason }] },
  ];
  const { tool_calls: calls, ...others } = fields;
  const usage = { prompt_tokens: 7, completion_tokens: 2, total_tokens: 9 };
  return [
    chunk({ role: 'assistant', ...others }),
    ...(text === undefined ? [] : [chunk({ content: text })]),
    ...(calls === undefined ? [] : [chunk({ tool_calls: calls.map((call, index) => ({ index, ...call })) })]),
    chunk({}, calls === undefined ? 'stop' : 'tool_calls'),
    [undefined, { ...head, choices: [], usage }],
    [undefined, '[DONE]'],
  ];
}

function anthropicFrames({ text = 'Hello' }: StrictAnswer): [string, unknown][] {
  const usage = { input_tokens: 7, output_tokens: 1 };
  const message = {
    id: 'msg_1',
    type: 'message',
    role: 'assistant',
    model: 'm',
    content: [],
    stop_reason: null,
    usage,
  };
  const events = [
    { type: 'message_start', message },
    { type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } },
    { type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text } },
    { type: 'content_block_stop', index: 0 },
    {
      type: 'message_delta',
      delta: { stop_reason: 'end_turn', stop_sequence: null },
      usage: { output_tokens: 2 },
    },
    { type: 'message_stop' },
  ];
  return events.map((event) => [event.type, event]);
}

function ollamaLines({ text = 'Hello' }: StrictAnswer): object[] {
  const head = { model: 'm', created_at: '2026-01-01T00:00:00Z' };
  return [
    { ...head, message: { role: 'assistant', content: text }, done: false },
    {
      ...head,
      message: { role: 'assistant', content: '' },
      done: true,
      done_reason: 'stop',
      prompt_eval_count: 7,
      eval_count: 2,
    },
  ];
}

function embeddings(body: unknown): object {
  const input = at(body, 'input');
  const texts: unknown[] = Array.isArray(input) ? input : [input];
  const data = texts.map((_text, index) => ({ object: 'embedding', index, embedding: [1, 0] }));
  return { object: 'list', data, model: 'm', usage: { prompt_tokens: 1, total_tokens: 1 } };
}

function sendJson(
  response: ServerResponse,
  { status, body }: { readonly status: number; readonly body: unknown },
): void {
  response.statusCode = status;
  response.setHeader('content-type', 'application/json');
  response.end(JSON.stringify(body));
}

function sendLines(response: ServerResponse, lines: readonly object[]): void {
  response.setHeader('content-type', 'application/x-ndjson');
  response.end(lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
}

function sendEvents(
  response: ServerResponse,
  frames: readonly (readonly [string | undefined, unknown])[],
): void {
  response.setHeader('content-type', 'text/event-stream');
  response.end(
    frames
      .map(([name, data]) => {
        const text = typeof data === 'string' ? data : JSON.stringify(data);
        return `${name === undefined ? '' : `event: ${name}\n`}data: ${text}\n\n`;
      })
      .join(''),
  );
}
