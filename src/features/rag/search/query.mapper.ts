import type { OutgoingEvent } from '../../../common/event-stream.js';
import { toUsd } from '../../../common/money.js';
import type { QueryEvent, QueryOutcome } from './query.service.js';
import { toRerankBody, toQueryUsageBody } from './search.mapper.js';
import type { QueryAnswerBody, QueryEndBody } from './search-result.dto.js';
import { toSourceBody } from './source.mapper.js';

/** The beginning of an answer. */
type SourcesBody = Pick<QueryAnswerBody, 'sources' | 'warnings'>;

/** Converts the events of an answer to those of its stream. */
export async function* toQueryEvents(events: AsyncIterable<QueryEvent>): AsyncGenerator<OutgoingEvent> {
  for await (const event of events) {
    switch (event.type) {
      case 'sources':
        yield { data: toSourcesBody(event) };
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
  let beginning: SourcesBody = { sources: [] };
  let answer = '';
  let end: QueryEndBody | undefined;
  for await (const event of events) {
    if (event.type === 'sources') beginning = toSourcesBody(event);
    else if (event.type === 'delta') answer += event.text;
    else end = toQueryEndBody(event.outcome);
  }
  if (end === undefined) throw new Error('An answer ended without an outcome.');
  return Object.assign({ answer }, beginning, end);
}

function toSourcesBody({ sources, warnings }: Extract<QueryEvent, { type: 'sources' }>): SourcesBody {
  return {
    sources: sources.map(toSourceBody),
    ...(warnings.length > 0 && { warnings: [...warnings] }),
  };
}

function toQueryEndBody({
  model,
  finishReason,
  usage,
  costMicroUsd,
  citations,
  rerank,
}: QueryOutcome): QueryEndBody {
  return {
    citations: citations.map(toSourceBody),
    model,
    usage: toQueryUsageBody(usage),
    cost_estimate: toUsd(costMicroUsd),
    finish_reason: finishReason,
    ...(rerank !== undefined && { rerank: toRerankBody(rerank) }),
  };
}
