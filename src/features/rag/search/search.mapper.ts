import { toUsd } from '../../../common/money.js';
import type { TokenUsage } from '../../../llm/index.js';
import type { LegReport, RerankCall, SearchHit, SearchResult } from './search-request.js';
import type { QueryUsageBody, RerankBody } from './model-usage.dto.js';
import type { LegReportBody, SearchHitBody, SearchResultBody } from './search-result.dto.js';

/**
 * Converts the result of a search to its API representation.
 * @param explain true to include what each way of searching did
 */
export function toSearchResultBody(
  { hits, legs, warnings, rerank }: SearchResult,
  explain: boolean,
): SearchResultBody {
  return {
    object: 'list',
    data: hits.map(toSearchHitBody),
    ...(warnings.length > 0 && { warnings: [...warnings] }),
    ...(rerank !== undefined && { rerank: toRerankBody(rerank) }),
    ...(explain && { explain: legs.map(toLegReportBody) }),
  };
}

function toSearchHitBody(hit: SearchHit): SearchHitBody {
  const { documentId, collectionId, title, page, start, end, rows, text, score, scores, ranks } = hit;
  return {
    document_id: documentId,
    collection_id: collectionId,
    title,
    page,
    start,
    end,
    rows,
    text,
    score,
    scores: { lexical: scores.lexical, vector: scores.vector, fused: scores.fused },
    ranks: {
      lexical: ranks.lexical,
      vector: ranks.vector,
      ...(ranks.rerank !== undefined && { rerank: ranks.rerank }),
    },
  };
}

/** Converts the call to the model that ordered passages to its API representation. */
export function toRerankBody({ model, usage, costMicroUsd }: RerankCall): RerankBody {
  return { model, usage: toQueryUsageBody(usage), cost_estimate: toUsd(costMicroUsd) };
}

/** Converts the usage of a call to its API representation. */
export function toQueryUsageBody({ inputTokens, outputTokens }: TokenUsage): QueryUsageBody {
  return {
    prompt_tokens: inputTokens,
    completion_tokens: outputTokens,
    total_tokens: inputTokens + outputTokens,
  };
}

function toLegReportBody({ leg, found, durationMs, method, reason }: LegReport): LegReportBody {
  return {
    leg,
    found,
    duration_ms: Math.round(durationMs * 100) / 100,
    ...(method !== undefined && { method }),
    ...(reason !== undefined && { reason }),
  };
}
