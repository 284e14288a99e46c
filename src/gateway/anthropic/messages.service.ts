import { Injectable } from '@nestjs/common';
import { answerCaching, type Caller } from '../../common/caller.js';
import type { OutgoingEvent } from '../../common/event-stream.js';
import { type ModelResponseHeaders, toModelResponseHeaders } from '../../http/index.js';
import { newId } from '../../common/ids.js';
import { type CountingCall, estimateChat, LlmService, type ModelCall } from '../../llm/index.js';
import { MessageRelay, toRelayedMessage } from './message-relay.js';
import type { AnthropicMessageBody } from './message-shape.js';
import { MessageWriter } from './message-writer.js';
import type { CountBody, MessagesBody, AnthropicHeaders } from './messages-body.js';
import { toChatRequest } from './to-chat-request.js';
import { toMessage } from './to-message.js';
import { toNativeRequest } from './to-native-request.js';

/** A request with a validated body, and its caller. */
export interface MessagesRequest<Body> {
  readonly caller: Caller;
  readonly body: Body;
  readonly headers: AnthropicHeaders;
  readonly signal: AbortSignal;
}

/** A whole answer and the data of its headers. */
export interface MessageResult {
  readonly head: ModelResponseHeaders;
  /** A JSON text if the answer was received in this API format. */
  readonly message: AnthropicMessageBody | string;
}

/** Messages for every provider: if the client disconnects, the upstream call ends, and only usage is stored. */
@Injectable()
export class MessagesService {
  constructor(private readonly llm: LlmService) {}

  /** @throws AppError if there is no answer */
  async complete(request: MessagesRequest<MessagesBody>): Promise<MessageResult> {
    const call = toCall(request);
    const answer = await this.llm.complete(call);
    return {
      head: toModelResponseHeaders(call, answer),
      message: toRelayedMessage(answer) ?? toMessage(answer),
    };
  }

  /**
   * Streams the answer as events.
   * @param begin receives the data of the headers before the first event
   * @throws AppError from the iteration if there is no answer; before the first event it determines the status
   * of the response
   */
  async *stream(
    request: MessagesRequest<MessagesBody>,
    begin: (head: ModelResponseHeaders) => void,
  ): AsyncGenerator<OutgoingEvent> {
    const call = toCall(request);
    const writer = new MessageWriter(estimateChat(call.request).input);
    const relay = new MessageRelay();
    for await (const event of this.llm.stream(call)) {
      switch (event.type) {
        case 'started':
        case 'restarted':
          begin(toModelResponseHeaders(call, event));
          writer.begin(event.model);
          relay.begin(event.model);
          break;
        case 'relayed':
          yield relay.write(event);
          break;
        case 'chunk':
          yield* writer.write(event.chunk);
          break;
        case 'finished':
          yield* relay.hasRelayed ? relay.end() : writer.end(event);
      }
    }
  }

  /**
   * Counts the tokens of a request.
   * @throws AppError if the request itself is wrong
   */
  async count({
    caller: { userId },
    body: given,
    headers,
    signal,
  }: MessagesRequest<CountBody>): Promise<number> {
    const { cache, ...body } = given;
    const call: CountingCall = {
      userId,
      model: body.model,
      request: toChatRequest(body),
      native: toNativeRequest('/v1/messages/count_tokens', body, headers),
      signal,
    };
    return this.llm.countTokens(call);
  }
}

function toCall({ caller, body: given, headers, signal }: MessagesRequest<MessagesBody>): ModelCall {
  // Our own field, which must not reach a provider.
  const { cache, ...body } = given;
  return {
    callId: newId(),
    ...caller,
    model: body.model,
    request: toChatRequest(body),
    serverDefaults: ['limit_name', 'history'],
    native: toNativeRequest('/v1/messages', body, headers),
    signal,
    accounting: 'sink',
    cache: answerCaching(caller, cache),
  };
}
