import { Injectable } from '@nestjs/common';
import type OpenAI from 'openai';
import { newId } from '../../common/ids.js';
import type { OutgoingEvent } from '../../common/event-stream.js';
import { type ChatCompletion, type ChatRequest, LlmService, type ModelCall } from '../../llm/index.js';
import { ChunkWriter, toUsage } from './chat-completions.mapper.js';

/** A Chat Completions request whose body was checked. */
export type ChatCompletionBody = ChatRequest & {
  readonly model?: string;
  readonly stream?: boolean | null;
  readonly stream_options?: OpenAI.Chat.ChatCompletionStreamOptions | null;
};

/** A whole answer, and the parameters that its model could not be told. */
export interface WholeCompletion {
  readonly ignored: readonly string[];
  readonly completion: ChatCompletion;
}

/** Chat Completions without a conversation: the client's leaving ends the upstream call, and only usage is stored. */
@Injectable()
export class ChatCompletionsService {
  constructor(private readonly llm: LlmService) {}

  /** @throws AppError why there is no answer */
  async complete(userId: string, body: ChatCompletionBody, signal: AbortSignal): Promise<WholeCompletion> {
    const { completion, model, ignored, attempts } = await this.llm.complete(toCall(userId, body, signal));
    // Clients count on it, whether the host tells it or not.
    const used = attempts.at(-1)?.usage;
    const usage = completion.usage ?? (used && toUsage(used));
    return { ignored, completion: { ...completion, model: model.name, ...(usage && { usage }) } };
  }

  /**
   * The answer as events, `[DONE]` last.
   * @param begin is told before the first event which parameters are left out
   * @throws AppError why there is none, from the iteration; before the first chunk it has a status of its own
   */
  async *stream(
    userId: string,
    body: ChatCompletionBody,
    signal: AbortSignal,
    begin: (ignored: readonly string[]) => void,
  ): AsyncGenerator<OutgoingEvent> {
    const writer = new ChunkWriter(body.stream_options?.include_usage === true);
    for await (const event of this.llm.stream(toCall(userId, body, signal))) {
      if (event.type === 'chunk') {
        const data = writer.write(event);
        if (data !== undefined) yield { data };
      } else if (event.type === 'started') {
        writer.begin(event.model);
        begin(event.ignored);
      } else if (event.type === 'finished') {
        const data = writer.usage(event.usage);
        if (data !== undefined) yield { data };
      }
    }
    yield { data: '[DONE]' };
  }
}

function toCall(userId: string, body: ChatCompletionBody, signal: AbortSignal): ModelCall {
  const { model, stream, stream_options, ...request } = body;
  return { callId: newId(), userId, model, request, signal, accounting: 'sink' };
}
