import { Injectable } from '@nestjs/common';
import type { Response } from 'express';
import type { Caller } from '../../../common/caller.js';
import type { OutgoingEvent } from '../../../common/event-stream.js';
import { sendEventStream, withClientSignal } from '../../../http/index.js';
import { toQueryAnswerBody, toQueryEvents } from './query.mapper.js';
import { type DocumentQuestion, QueryService } from './query.service.js';
import { ScopedSearch } from './scoped-search.js';
import type { QueryBody } from './search.dto.js';

/** Sends the answer to a question about documents, as a stream or as one response. */
@Injectable()
export class QueryResponder {
  constructor(
    private readonly queries: QueryService,
    private readonly searches: ScopedSearch,
  ) {}

  /**
   * Sends the answer in the requested form.
   * @throws AppError the reason why there is none; one that comes after the first event is reported in the stream
   */
  async answer(response: Response, caller: Caller, body: QueryBody): Promise<void> {
    const { model, max_tokens: maxTokens, stream = true } = body;
    const question: DocumentQuestion = {
      caller,
      search: await this.searches.toRequest(caller, body, body.question),
      model,
      maxTokens,
    };
    if (stream) {
      const events = (signal: AbortSignal): AsyncIterable<OutgoingEvent> =>
        toQueryEvents(this.queries.answerQuestion(question, signal));
      return sendEventStream(response, { begin: 'first_event', headers: {}, events });
    }
    const answer = await withClientSignal(response, (signal) =>
      toQueryAnswerBody(this.queries.answerQuestion(question, signal)),
    );
    response.json(answer);
  }
}
