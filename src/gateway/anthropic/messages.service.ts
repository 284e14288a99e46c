import { Injectable } from '@nestjs/common';
import { answerCaching, type Caller } from '../../common/caller.js';
import type { OutgoingEvent } from '../../common/event-stream.js';
import { type ModelResponseHeaders, toModelResponseHeaders } from '../../http/index.js';
import { newId } from '../../common/ids.js';
import { type CountingCall, estimateChat, LlmService, type ModelCall } from '../../llm/index.js';
import { MessageRelay, relayedMessage } from './message-relay.js';
import type { MessageBody } from './message-shape.js';
import { MessageWriter } from './message-writer.js';
import type { CountBody, MessagesBody, WireHeaders } from './messages-body.js';
import { toChatRequest } from './to-chat-request.js';
import { toMessage } from './to-message.js';
import { toNativeRequest } from './to-native-request.js';

/** A request with a body that was checked, and who makes it. */
export interface MessagesRequest<Body> {
  readonly caller: Caller;
  readonly body: Body;
  readonly headers: WireHeaders;
  readonly signal: AbortSignal;
}

/** A whole answer, and what its headers tell of it. */
export interface WholeMessage {
  readonly head: ModelResponseHeaders;
  /** A text where the answer came on this very wire. */
  readonly message: MessageBody | string;
}

/** Messages over every provider: the client's leaving ends the upstream call, and only usage is stored. */
@Injectable()
export class MessagesService {
  constructor(private readonly llm: LlmService) {}

  /** @throws AppError why there is no answer */
  async complete(request: MessagesRequest<MessagesBody>): Promise<WholeMessage> {
    const call = toCall(request);
    const answer = await this.llm.complete(call);
    return {
      head: toModelResponseHeaders(call, answer),
      message: relayedMessage(answer) ?? toMessage(answer),
    };
  }

  /**
   * The answer as events.
   * @param begin is told before the first event what the headers tell
   * @throws AppError why there is none, from the iteration; before the first event it has a status of its own
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
          yield* relay.begun ? relay.end() : writer.end(event);
      }
    }
  }

  /** The tokens of a request. @throws AppError where the request itself is wrong */
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
  // Ours, and no field of the wire: it must not reach a provider.
  const { cache, ...body } = given;
  return {
    callId: newId(),
    ...caller,
    model: body.model,
    request: toChatRequest(body),
    ownChoices: ['limit_name', 'history'],
    native: toNativeRequest('/v1/messages', body, headers),
    signal,
    accounting: 'sink',
    cache: answerCaching(caller, cache),
  };
}
