import type { LegReport, SearchHit, SearchResult } from './search-request.js';
import type { LegReportBody, SearchHitBody, SearchResultBody } from './search-result.dto.js';

/**
 * Converts the result of a search to its API representation.
 * @param explain true to include what each way of searching did
 */
export function toSearchResultBody(
  { hits, legs, warnings }: SearchResult,
  explain: boolean,
): SearchResultBody {
  return {
    object: 'list',
    data: hits.map(toSearchHitBody),
    ...(warnings.length > 0 && { warnings: [...warnings] }),
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
    ranks: { lexical: ranks.lexical, vector: ranks.vector },
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
