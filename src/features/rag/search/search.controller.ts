import { Body, Controller, HttpCode, Post, Res } from '@nestjs/common';
import { ApiExtraModels, ApiOkResponse, ApiOperation, ApiTags, getSchemaPath } from '@nestjs/swagger';
import type { Response } from 'express';
import type { Caller } from '../../../common/caller.js';
import {
  ApiErrors,
  ApiRequestExamples,
  CurrentCaller,
  ModelRoute,
  Scope,
  withClientSignal,
} from '../../../http/index.js';
import { QueryAnswerBody, SearchResultBody } from './search-result.dto.js';
import { QueryBody, SearchBody } from './search.dto.js';
import { QUERY_REQUESTS, SEARCH_REQUESTS } from './search.openapi.js';
import { toSearchResultBody } from './search.mapper.js';
import { QueryResponder } from './query-responder.js';
import { ScopedSearch } from './scoped-search.js';

const EVENTS_EXAMPLE = `data: {"sources":[{"index":1,"document_id":"0199…","title":"Employee handbook","page":12,"start":1840,"end":4312,"snippet":"The notice period is …","score":0.98}]}

data: {"delta":"The notice period is three months [1].","finished":false}

data: {"delta":"","finished":true,"citations":[{"index":1,"document_id":"0199…"}],"model":"openai/gpt-5.1","usage":{"prompt_tokens":1240,"completion_tokens":12,"total_tokens":1252},"cost_estimate":0.0017,"finish_reason":"stop"}

data: [DONE]
`;

@Scope('rag')
@ApiTags('retrieval')
@Controller('api/v1/rag')
export class SearchController {
  constructor(
    private readonly searches: ScopedSearch,
    private readonly queries: QueryResponder,
  ) {}

  @Post('search')
  @HttpCode(200)
  @ModelRoute()
  @ApiRequestExamples(SearchBody, SEARCH_REQUESTS)
  @ApiOperation({
    summary: 'Search for passages',
    description:
      'Finds the best passages for a query: those that have words of it, and those whose meaning is nearest. The embedding of the query counts as usage, and so does the model of `rerank`, which orders the passages.',
  })
  @ApiOkResponse({ type: SearchResultBody, description: 'The passages, the best first.' })
  @ApiErrors(
    'invalid_request',
    'unauthorized',
    'not_found',
    'model_not_found',
    'reindex_required',
    'price_unknown',
    'rate_limit_exceeded',
    'quota_exceeded',
    'provider_unavailable',
  )
  async search(
    @CurrentCaller() caller: Caller,
    @Body() body: SearchBody,
    @Res({ passthrough: true }) response: Response,
  ): Promise<SearchResultBody> {
    return withClientSignal(response, async (signal) =>
      toSearchResultBody(await this.searches.search(caller, body, signal), body.explain === true),
    );
  }

  @Post('query')
  @HttpCode(200)
  @ModelRoute()
  @ApiRequestExamples(QueryBody, QUERY_REQUESTS)
  @ApiOperation({
    summary: 'Ask a question about documents',
    description:
      'Searches for passages and lets a model answer from them. The stream begins with the `sources`, numbered from 1; deltas follow, with markers such as `[1]` that cite them; the last event has `finished: true` with the `citations`, followed by `[DONE]`. Markers without a source are removed. If no passage is relevant, the answer says so and no model is called. The question is not stored. With the demo model the answer is the best passages, quoted and cited.',
  })
  @ApiExtraModels(QueryAnswerBody)
  @ApiOkResponse({
    description: 'The answer as it is generated; with `stream: false`, the finished answer.',
    content: {
      'application/json': { schema: { $ref: getSchemaPath(QueryAnswerBody) } },
      'text/event-stream': { schema: { type: 'string' }, example: EVENTS_EXAMPLE },
    },
  })
  @ApiErrors(
    'invalid_request',
    'unauthorized',
    'not_found',
    'model_not_found',
    'reindex_required',
    'price_unknown',
    'rate_limit_exceeded',
    'quota_exceeded',
    'provider_rejected',
    'context_length_exceeded',
    'content_policy_violation',
    'provider_rate_limited',
    'provider_error',
    'provider_unavailable',
    'overloaded',
    'provider_timeout',
  )
  async query(
    @CurrentCaller() caller: Caller,
    @Body() body: QueryBody,
    @Res() response: Response,
  ): Promise<void> {
    await this.queries.answer(response, caller, body);
  }
}
