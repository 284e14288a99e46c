import { at, type ApiResponse, send, type StreamEvent, streamEvents, type TestUser } from './client.js';
import type { FakeProvider } from './fake-provider/fake-provider.js';
import type { RecordedRequest } from './fake-provider/recorded-request.js';

/** A stream that has begun: the ids are known and the provider has received the request. */
export interface BegunStream {
  readonly conversationId: string;
  readonly messageId: string;
  /** The first event, which contains the ids. */
  readonly first: StreamEvent;
  readonly upstream: RecordedRequest;
  readonly events: AsyncGenerator<StreamEvent>;
}

/** Begins a turn and waits until the provider has received the request. */
export async function beginStream(
  provider: FakeProvider,
  user: TestUser,
  body: object = {},
  signal?: AbortSignal,
): Promise<BegunStream> {
  const asked = provider.nextRequest('chat');
  const events = user.stream('/api/v1/chat/stream', { message: 'hi', ...body }, signal);
  const first = await nextEvent(events);
  return { ...idsIn(first.data), first, upstream: await asked, events };
}

/** Reads the ids of an event or an answer. */
export function idsIn(data: unknown): { readonly conversationId: string; readonly messageId: string } {
  return {
    conversationId: String(at(data, 'conversation_id')),
    messageId: String(at(data, 'message_id')),
  };
}

/** Returns the next event of a stream that must have one. */
export async function nextEvent(events: AsyncGenerator<StreamEvent>): Promise<StreamEvent> {
  const next = await events.next();
  if (next.done === true) throw new Error('The stream has ended.');
  return next.value;
}

/** Follows an answer, after an event or from the beginning. */
export function rejoin(
  url: string,
  { token }: TestUser,
  messageId: string,
  lastEventId?: string,
  signal?: AbortSignal,
): AsyncGenerator<StreamEvent> {
  return streamEvents(`${url}/api/v1/chat/stream/${messageId}`, {
    headers: {
      authorization: `Bearer ${token}`,
      ...(lastEventId !== undefined && { 'last-event-id': lastEventId }),
    },
    ...(signal && { signal }),
  });
}

/** Stops an answer. */
export function stop(user: TestUser, messageId: string): Promise<ApiResponse> {
  return user.request('POST', `/api/v1/chat/${messageId}/stop`);
}

/** Sends a request with an Idempotency-Key. */
export function named(
  url: string,
  { token }: TestUser,
  path: string,
  key: string,
  body: object,
): Promise<ApiResponse> {
  return send(`${url}${path}`, {
    method: 'POST',
    body,
    headers: { authorization: `Bearer ${token}`, 'idempotency-key': key },
  });
}
