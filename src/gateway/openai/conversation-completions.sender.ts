import { Injectable } from '@nestjs/common';
import type { Response } from 'express';
import type { Caller } from '../../common/caller.js';
import { toAnswerHeaders, TurnService } from '../../features/chat/index.js';
import {
  toModelResponseHeaders,
  sendEventStream,
  setModelResponseHeaders,
  withClientSignal,
} from '../../http/index.js';
import type { ChatCompletionBody } from './chat-completion-body.js';
import { toConversationChunks, toConversationCompletion, toTurn } from './conversation-completions.mapper.js';

/**
 * Answers Chat Completions requests that are turns of a conversation. They are stored before the model is
 * called, and continue if the client disconnects.
 */
@Injectable()
export class ConversationCompletionsSender {
  constructor(private readonly turns: TurnService) {}

  /** @throws AppError if there is no turn, or no answer to a request that is not streamed */
  async send(
    response: Response,
    caller: Caller,
    body: ChatCompletionBody,
    conversation: string,
    key: string | undefined,
  ): Promise<void> {
    const started = await this.turns.beginTurn(toTurn(caller, conversation, key, body));
    const { answer } = started;
    const headers = toAnswerHeaders(started);
    if (body.stream === true) {
      const events = (signal: AbortSignal) => toConversationChunks(answer, body, signal);
      return sendEventStream(response, { begin: 'at_once', headers, events });
    }
    response.set(headers);
    const { finished, sources } = await withClientSignal(response, async (signal) => ({
      finished: await this.turns.awaitAnswer(answer, signal),
      sources: await answer.readSources(signal),
    }));
    setModelResponseHeaders(
      response,
      toModelResponseHeaders(
        { cache: body.cache === true },
        { ignored: answer.ignored ?? [], cached: finished.cached },
      ),
    );
    response.json(toConversationCompletion(answer, body, finished, sources));
  }
}
