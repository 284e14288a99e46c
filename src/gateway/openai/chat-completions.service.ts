import { Injectable } from '@nestjs/common';
import type OpenAI from 'openai';
import { ByteLimiter } from '../../common/byte-limiter.js';
import { answerCaching, type Caller } from '../../common/caller.js';
import { newId } from '../../common/ids.js';
import type { OutgoingEvent } from '../../common/event-stream.js';
import { type ChatRequest, LlmService, type ModelCall } from '../../llm/index.js';
import { type ModelResponseHeaders, toModelResponseHeaders } from '../../http/index.js';
import { FilePartsService } from './file-parts.service.js';
import { ChunkWriter, toCompletionText } from './chat-completions.mapper.js';

/** A Chat Completions request whose body was validated. */
export type ChatCompletionBody = ChatRequest & {
  readonly model?: string;
  readonly stream?: boolean | null;
  /** Our own field: true if a cached answer to an equal request may be returned. */
  readonly cache?: boolean | null;
  readonly stream_options?: OpenAI.Chat.ChatCompletionStreamOptions | null;
};

/** A whole answer and the data of its headers. */
export interface CompletionResult {
  readonly head: ModelResponseHeaders;
  /** JSON text. */
  readonly completion: string;
}

/**
 * Chat Completions without a conversation: if the client disconnects, the upstream call ends, and only usage is
 * stored.
 */
@Injectable()
export class ChatCompletionsService {
  constructor(
    private readonly llm: LlmService,
    private readonly fileParts: FilePartsService,
    private readonly fileMemory: ByteLimiter,
  ) {}

  /** @throws AppError if there is no answer */
  async complete(caller: Caller, body: ChatCompletionBody, signal: AbortSignal): Promise<CompletionResult> {
    const memory = this.fileMemory.lease();
    try {
      const options = { memory, signal };
      const messages = await this.fileParts.resolveFileIds(caller.userId, body, options);
      const call = toCall(caller, { ...body, messages }, signal);
      const answer = await this.llm.complete(call);
      return { head: toModelResponseHeaders(call, answer), completion: toCompletionText(answer) };
    } finally {
      memory.release();
    }
  }

  /**
   * Streams the answer as events, `[DONE]` last.
   * @param begin receives the data of the headers before the first event
   * @throws AppError from the iteration if there is no answer; before the first chunk it determines the status
   * of the response
   */
  async *stream(
    caller: Caller,
    body: ChatCompletionBody,
    signal: AbortSignal,
    begin: (head: ModelResponseHeaders) => void,
  ): AsyncGenerator<OutgoingEvent> {
    const writer = new ChunkWriter(body.stream_options?.include_usage === true);
    const memory = this.fileMemory.lease();
    try {
      const options = { memory, signal };
      const messages = await this.fileParts.resolveFileIds(caller.userId, body, options);
      const call = toCall(caller, { ...body, messages }, signal);
      for await (const event of this.llm.stream(call)) {
        if (event.type === 'chunk') {
          const data = writer.write(event);
          if (data !== undefined) yield { data };
        } else if (event.type === 'started') {
          writer.begin(event.model);
          begin(toModelResponseHeaders(call, event));
        } else if (event.type === 'finished') {
          const data = writer.usage(event.usage);
          if (data !== undefined) yield { data };
        }
      }
    } finally {
      memory.release();
    }
    yield { data: '[DONE]' };
  }
}

function toCall(caller: Caller, body: ChatCompletionBody, signal: AbortSignal): ModelCall {
  const { model, stream, stream_options, cache, ...request } = body;
  return {
    callId: newId(),
    ...caller,
    model,
    request,
    signal,
    accounting: 'sink',
    cache: answerCaching(caller, cache),
  };
}
