import { randomUUID } from 'node:crypto';

/** A response of the API, whose body is unknown until a test has checked it. */
export interface ApiResponse {
  readonly status: number;
  readonly headers: Headers;
  readonly body: unknown;
}

/** An account in a test, and its requests. */
export interface TestUser {
  readonly token: string;
  readonly email: string;
  request(method: string, path: string, body?: unknown): Promise<ApiResponse>;
  /** Yields the events of a stream as they arrive. Leaving the loop closes the connection. */
  stream(path: string, body: unknown, signal?: AbortSignal): AsyncGenerator<StreamEvent>;
}

/** An event: its id and its data, parsed, or the text `[DONE]`. */
export interface StreamEvent {
  readonly id: string | undefined;
  readonly data: unknown;
}

/** Options of a request. A string body is sent unchanged, any other as JSON. */
export interface RequestOptions {
  readonly method?: string;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
}

/** Sends a request and reads the complete response. */
export async function send(url: string, options: RequestOptions = {}): Promise<ApiResponse> {
  const response = await open(url, options);
  const text = await response.text();
  return { status: response.status, headers: response.headers, body: parse(text) };
}

/** Password of the accounts that tests register. */
export const TEST_PASSWORD = 'a long password';

/** Registers a new account. */
export async function registerUser(url: string): Promise<TestUser> {
  const email = `user-${randomUUID()}@example.com`;
  const { body, status } = await send(`${url}/api/v1/auth/register`, {
    method: 'POST',
    body: { email, password: TEST_PASSWORD },
  });
  if (status !== 201) throw new Error(`Registration answered ${status}: ${JSON.stringify(body)}`);
  return userWith(url, String(at(body, 'access_token')), email);
}

/** Returns an account by its token. */
export function userWith(url: string, token: string, email = ''): TestUser {
  const authorization = `Bearer ${token}`;
  return {
    token,
    email,
    request: (method, path, body) => send(`${url}${path}`, { method, body, headers: { authorization } }),
    stream: (path, body, signal) =>
      streamEvents(`${url}${path}`, {
        method: 'POST',
        body,
        headers: { authorization },
        ...(signal && { signal }),
      }),
  };
}

/** Returns a value inside an unknown body by its keys, or undefined if there is none. */
export function at(value: unknown, ...keys: readonly (string | number)[]): unknown {
  let inner = value;
  for (const key of keys) {
    if (typeof inner !== 'object' || inner === null) return undefined;
    inner = Reflect.get(inner, key) as unknown;
  }
  return inner;
}

/** Returns an array inside an unknown body by its keys, or throws if there is none. */
export function listAt(value: unknown, ...keys: readonly (string | number)[]): unknown[] {
  const list = at(value, ...keys);
  if (!Array.isArray(list))
    throw new Error(`There is no list at ${keys.join('.')}: ${JSON.stringify(value)}`);
  return list as unknown[];
}

/** Reads a stream to its end. */
export async function collect(events: AsyncIterable<StreamEvent>): Promise<unknown[]> {
  return (await Array.fromAsync(events)).map(({ data }) => data);
}

/** Joins the text of the deltas of a chat stream. */
export function textOf(events: readonly unknown[]): string {
  return events
    .map((event) => {
      const delta = at(event, 'delta');
      return typeof delta === 'string' ? delta : '';
    })
    .join('');
}

/** Yields the events of a stream as they arrive. Leaving the loop closes the connection. */
export async function* streamEvents(url: string, options: RequestOptions): AsyncGenerator<StreamEvent> {
  const response = await open(url, options);
  if (response.status !== 200 || response.body === null) {
    throw new Error(`The stream answered ${response.status}: ${await response.text()}`);
  }
  let rest = '';
  for await (const piece of response.body.pipeThrough(new TextDecoderStream())) {
    const frames = (rest + piece).split('\n\n');
    rest = frames.pop() ?? '';
    yield* frames.flatMap(eventOf);
  }
}

/** Parses the events of a complete stream. */
export function eventsIn(body: unknown): StreamEvent[] {
  if (typeof body !== 'string') throw new Error(`This is no stream: ${JSON.stringify(body)}`);
  return body.split('\n\n').flatMap(eventOf);
}

function eventOf(frame: string): StreamEvent[] {
  const data = /^data: (.*)$/m.exec(frame)?.[1];
  return data === undefined ? [] : [{ id: /^id: (.*)$/m.exec(frame)?.[1], data: parse(data) }];
}

function open(url: string, options: RequestOptions): Promise<Response> {
  const { method = 'GET', body, headers = {}, signal } = options;
  return fetch(url, {
    method,
    headers: { ...(body !== undefined && { 'content-type': 'application/json' }), ...headers },
    ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    ...(signal && { signal }),
  });
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
