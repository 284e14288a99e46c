import { Injectable } from '@nestjs/common';
import type { Response } from 'express';
import type { Caller } from '../../../common/caller.js';
import { sendEventStream, setModelResponseHeaders, withClientSignal } from '../../../http/index.js';
import { AnswerService } from '../generation/answer.service.js';
import type { GenerationBody } from './chat.dto.js';
import { readAnswerContext, toAnswerHeaders, toAnswerBody, toChatEvents } from './chat.mapper.js';
import { type StartedTurn, TurnService } from './turn.service.js';

/** Sends the answer of a turn to the client, as a stream or as one response. */
@Injectable()
export class TurnResponder {
  constructor(
    private readonly turns: TurnService,
    private readonly answers: AnswerService,
  ) {}

  /**
   * Sends the answer in the requested form.
   * @throws AppError the reason why there is no answer, unless it is streamed: a stream reports it itself
   */
  async sendAnswer(
    response: Response,
    { userId }: Caller,
    started: StartedTurn,
    { stream, on_disconnect }: Pick<GenerationBody, 'stream' | 'on_disconnect'>,
    form: 'stream' | 'as_asked' = 'as_asked',
  ): Promise<void> {
    const { answer } = started;
    const cancelOn = (signal: AbortSignal): void => {
      if (on_disconnect === 'cancel') this.answers.stopOnAbort(signal, userId, answer);
    };
    const headers = toAnswerHeaders(started);
    if (form === 'stream' || stream === true) {
      const events = (signal: AbortSignal) => {
        cancelOn(signal);
        return toChatEvents(answer, signal);
      };
      return sendEventStream(response, { begin: 'at_once', headers, events });
    }
    response.set(headers);
    const { finished, context } = await withClientSignal(response, async (signal) => {
      cancelOn(signal);
      const finished = await this.turns.awaitAnswer(answer, signal);
      return { finished, context: await readAnswerContext(answer, signal) };
    });
    setModelResponseHeaders(response, { ignored: answer.ignored ?? [], cached: undefined });
    response.json(toAnswerBody(answer, finished, context));
  }
}
