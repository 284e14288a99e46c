import type { OutgoingEvent } from '../../../common/event-stream.js';
import { toUsd } from '../../../common/money.js';
import type { QueryEvent, QueryOutcome } from './query.service.js';
import type { QueryAnswerBody, QueryEndBody, SourceBody } from './search-result.dto.js';
import { toSourceBody } from './source.mapper.js';

/** Converts the events of an answer to those of its stream. */
export async function* toQueryEvents(events: AsyncIterable<QueryEvent>): AsyncGenerator<OutgoingEvent> {
  for await (const event of events) {
    switch (event.type) {
      case 'sources':
        yield { data: { sources: event.sources.map(toSourceBody) } };
        break;
      case 'delta':
        yield { data: { delta: event.text, finished: false } };
        break;
      case 'ended':
        yield { data: Object.assign({ delta: '', finished: true }, toQueryEndBody(event.outcome)) };
    }
  }
  yield { data: '[DONE]' };
}

/** Collects the events of an answer in one response. */
export async function toQueryAnswerBody(events: AsyncIterable<QueryEvent>): Promise<QueryAnswerBody> {
  let sources: SourceBody[] = [];
  let answer = '';
  let end: QueryEndBody | undefined;
  for await (const event of events) {
    if (event.type === 'sources') sources = event.sources.map(toSourceBody);
    else if (event.type === 'delta') answer += event.text;
    else end = toQueryEndBody(event.outcome);
  }
  if (end === undefined) throw new Error('An answer ended without an outcome.');
  return Object.assign({ answer, sources }, end);
}

function toQueryEndBody({ model, finishReason, usage, costMicroUsd, citations }: QueryOutcome): QueryEndBody {
  const { inputTokens, outputTokens } = usage;
  return {
    citations: citations.map(toSourceBody),
    model,
    usage: {
      prompt_tokens: inputTokens,
      completion_tokens: outputTokens,
      total_tokens: inputTokens + outputTokens,
    },
    cost_estimate: toUsd(costMicroUsd),
    finish_reason: finishReason,
  };
}
