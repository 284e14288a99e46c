import { Inject, Injectable } from '@nestjs/common';
import type { ConfigType } from '@nestjs/config';
import type { Caller } from '../../../common/caller.js';
import { newId } from '../../../common/ids.js';
import type { MicroUsd } from '../../../common/money.js';
import { contextConfig } from '../../../config/index.js';
import {
  type BudgetLease,
  countTokens,
  LlmService,
  ModelCatalog,
  type ModelCall,
  type ModelEvent,
  NO_USAGE,
  type TokenUsage,
} from '../../../llm/index.js';
import { CitationFilter } from '../model/citations.js';
import { type AnswerSource, numberSources } from './answer-source.js';
import { toDemoAnswer } from './demo-answer.js';
import { PASSAGE_INSTRUCTIONS, toAnswerPrompt, toPassageBlock } from './passages-prompt.js';
import type { SearchRequest } from './search-request.js';
import { PassageSearchService } from './passage-search.service.js';

/** Answer to a question that no passage is relevant to. */
export const NOTHING_FOUND =
  'I found nothing about this in the documents. Documents that are not ready yet are not searched.';

/** Prefix of the full names of the demo provider's models. */
const DEMO = 'demo/';

/** Maximum tokens of an answer if the request sets no limit, and the maximum share of the context window. */
const ANSWER_TOKENS = 4_096;
const ANSWER_SHARE = 1 / 4;

/** A question about documents. */
export interface DocumentQuestion {
  readonly caller: Caller;
  /** The search for its passages; `query` is the question. */
  readonly search: SearchRequest;
  /** Model that answers; undefined for the default model. */
  readonly model: string | undefined;
  /** Maximum tokens of the answer. */
  readonly maxTokens: number | undefined;
}

/** The end of an answer. */
export interface QueryOutcome {
  /** Full name of the model that answered; null if none was asked. */
  readonly model: string | null;
  readonly finishReason: string;
  readonly usage: TokenUsage;
  readonly costMicroUsd: MicroUsd | null;
  /** The sources that the answer cites, in the order of their numbers. */
  readonly citations: readonly AnswerSource[];
}

/** The events of an answer: the sources first, then its text, then its end. */
export type QueryEvent =
  | { readonly type: 'sources'; readonly sources: readonly AnswerSource[] }
  | { readonly type: 'delta'; readonly text: string }
  | { readonly type: 'ended'; readonly outcome: QueryOutcome };

/** Answers questions from the passages that a search finds. */
@Injectable()
export class QueryService {
  constructor(
    private readonly searches: PassageSearchService,
    private readonly llm: LlmService,
    private readonly models: ModelCatalog,
    @Inject(contextConfig.KEY) private readonly config: ConfigType<typeof contextConfig>,
  ) {}

  /**
   * Answers a question. Refusals come before the first event.
   * @throws AppError as `PassageSearchService.search`, `LlmService.reserve` and `LlmService.stream` do
   */
  async *answerQuestion(question: DocumentQuestion, signal: AbortSignal): AsyncGenerator<QueryEvent> {
    const { caller, search, maxTokens } = question;
    const model = await this.models.canonicalName(question.model);
    const { hits } = await this.searches.search(caller, search, signal);
    if (hits.length === 0) {
      yield { type: 'sources', sources: [] };
      yield { type: 'delta', text: NOTHING_FOUND };
      yield { type: 'ended', outcome: outcomeOf({ model: null }) };
      return;
    }
    if (model.startsWith(DEMO)) {
      yield* answerAsDemo(numberSources(hits), model);
      return;
    }
    const room = await this.roomForPassages({ ...question, model });
    const block = await toPassageBlock(numberSources(hits), room);
    const call = {
      callId: newId(),
      ...caller,
      model,
      request: {
        messages: toAnswerPrompt(search.query, block),
        ...(maxTokens !== undefined && { max_completion_tokens: maxTokens }),
      },
      serverDefaults: ['limit_name'],
      signal,
      accounting: 'sink',
    } as const satisfies ModelCall;
    yield* this.askModel(call, block.sources, await this.llm.reserve(call));
  }

  private async *askModel(
    call: ModelCall,
    sources: readonly AnswerSource[],
    lease: BudgetLease,
  ): AsyncGenerator<QueryEvent> {
    let isAsked = false;
    try {
      yield { type: 'sources', sources };
      isAsked = true;
    } finally {
      // The client left before the model was asked.
      if (!isAsked) lease.settle([]);
    }
    const filter = new CitationFilter(sources.length);
    for await (const event of this.llm.stream(call, lease)) {
      const text = event.type === 'finished' ? filter.end() : filter.push(textOf(event));
      if (text !== '') yield { type: 'delta', text };
      if (event.type !== 'finished') continue;
      const { model, finishReason, usage, attempts } = event;
      const costMicroUsd = attempts.at(-1)?.costMicroUsd ?? null;
      const citations = citedIn(sources, filter);
      yield {
        type: 'ended',
        outcome: { model: model.name, finishReason, usage, costMicroUsd, citations },
      };
    }
  }

  /** Returns the number of tokens that the window of the model leaves to passages. */
  private async roomForPassages({ search: { query }, model, maxTokens }: DocumentQuestion): Promise<number> {
    const { tokens: window } = await this.models.contextWindow(model);
    const answer = maxTokens ?? Math.min(ANSWER_TOKENS, Math.floor(window * ANSWER_SHARE));
    const others = countTokens(PASSAGE_INSTRUCTIONS) + countTokens(query);
    return Math.min(this.config.maxTokens, window - answer) - others;
  }
}

/** Quotes the best passages. No model is called, so nothing is billed. */
function* answerAsDemo(sources: readonly AnswerSource[], model: string): Generator<QueryEvent> {
  yield { type: 'sources', sources };
  const { pieces, citations } = toDemoAnswer(sources);
  for (const text of pieces) yield { type: 'delta', text };
  yield { type: 'ended', outcome: outcomeOf({ model, citations }) };
}

/** Returns the outcome of an answer without a call to a model. */
function outcomeOf(outcome: Pick<QueryOutcome, 'model'> & Partial<QueryOutcome>): QueryOutcome {
  return { finishReason: 'stop', usage: NO_USAGE, costMicroUsd: 0n, citations: [], ...outcome };
}

function citedIn(sources: readonly AnswerSource[], { cited }: CitationFilter): AnswerSource[] {
  return sources.filter(({ index }) => cited.includes(index));
}

function textOf(event: ModelEvent): string {
  return event.type === 'chunk' ? (event.chunk.choices[0]?.delta.content ?? '') : '';
}
